import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { json } from '../support/fake-server.ts'
import { fakeGenesys, request } from './support.ts'

/** A proxy that passes on plain requests and opens tunnels, all of them to the one port given. */
async function startProxy(targetPort: number) {
  const seen: string[] = []
  const server = http.createServer((incoming, response) => {
    seen.push(`${incoming.method} ${incoming.url}`)
    const { pathname, search } = new URL(incoming.url ?? '')
    const { method, headers } = incoming
    const onward = http.request(
      { port: targetPort, host: '127.0.0.1', path: pathname + search, method, headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers)
        answer.pipe(response)
      },
    )
    incoming.pipe(onward)
  })
  server.on('connect', (incoming, client) => {
    seen.push(`CONNECT ${incoming.url} ${incoming.headers['proxy-authorization'] ?? ''}`.trim())
    const onward = net.connect(targetPort, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
      onward.pipe(client).pipe(onward)
    })
    for (const socket of [onward, client]) socket.on('error', () => {})
    client.on('close', () => onward.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function selfSigned(): { key: string; cert: string } | null {
  const folder = mkdtempSync(path.join(tmpdir(), 'genesys-etl-cert-'))
  try {
    const [key, cert] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')]
    const subject = ['-subj', '/CN=api.test', '-addext', 'subjectAltName=DNS:api.test,DNS:login.test']
    const files = ['-keyout', key, '-out', cert]
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject, ...files], {
      stdio: 'ignore',
    })
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
  } catch {
    return null
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describe('proxies', () => {
  test('HTTP_PROXY carries plain requests, NO_PROXY keeps hosts away from it', async () => {
    await using direct = await fakeGenesys((received) => json(received, { ok: true }))
    await using proxy = await startProxy(direct.server.port)
    const urls = { apiUrl: 'http://api.test', loginUrl: 'http://login.test' }
    const proxyEnv = { http_proxy: `http://127.0.0.1:${proxy.port}` }
    await using proxied = await fakeGenesys(() => {}, { ...urls, proxyEnv })
    expect((await proxied.client.request(request())).data).toEqual({ ok: true })
    expect(proxy.seen).toEqual(['POST http://login.test/oauth/token', 'GET http://api.test/api/v2/thing'])

    const bypass = { ...proxyEnv, NO_PROXY: 'login.test' }
    await using bypassing = await fakeGenesys(() => {}, { ...urls, proxyEnv: bypass })
    await expect(bypassing.client.request(request())).rejects.toMatchObject({ code: 'GENESYS_UNREACHABLE' })
    expect(proxy.seen).toHaveLength(2)
  })

  test('the own machine is never asked for through a proxy', async () => {
    await using genesys = await fakeGenesys((received) => json(received, { ok: true }), {
      proxyEnv: { http_proxy: 'http://127.0.0.1:1' },
    })
    expect((await genesys.client.request(request())).data).toEqual({ ok: true })
  })

  const certificate = selfSigned()

  test.skipIf(certificate === null)(
    'HTTPS_PROXY tunnels with its credentials; a certificate that nobody trusts ends there, without a retry',
    async () => {
      const api = https.createServer(certificate!, (_incoming, response) => response.end('{}'))
      await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve))
      try {
        await using proxy = await startProxy((api.address() as AddressInfo).port)
        await using genesys = await fakeGenesys(() => {}, {
          apiUrl: 'https://api.test',
          loginUrl: 'https://login.test',
          credentials: { accessToken: 'given' },
          proxyEnv: { HTTPS_PROXY: `http://me:hidden-word@127.0.0.1:${proxy.port}` },
        })
        const error: unknown = await genesys.client.request(request()).catch((reason: unknown) => reason)
        expect(error).toMatchObject({ code: 'GENESYS_CERTIFICATE', kind: 'fatal', attempts: 1 })
        expect((error as { hint: string }).hint).toContain('NODE_EXTRA_CA_CERTS')
        expect(proxy.seen).toEqual([`CONNECT api.test:443 Basic ${Buffer.from('me:hidden-word').toString('base64')}`])
        expect(genesys.log()).not.toContain('hidden-word')
      } finally {
        api.closeAllConnections()
        await new Promise((resolve) => api.close(resolve))
      }
    },
  )

  test.skipIf(certificate === null)('HTTPS_PROXY and NODE_EXTRA_CA_CERTS of the process are enough', async () => {
    const api = https.createServer(certificate!, (incoming, response) =>
      response.end(
        incoming.url === '/oauth/token' ? '{"access_token":"t","expires_in":300}' : '{"through":"the tunnel"}',
      ),
    )
    await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve))
    const folder = mkdtempSync(path.join(tmpdir(), 'genesys-etl-ca-'))
    try {
      await using proxy = await startProxy((api.address() as AddressInfo).port)
      const ca = path.join(folder, 'ca.pem')
      writeFileSync(ca, certificate!.cert)
      const source = (name: string): string => JSON.stringify(new URL(`../../src/${name}`, import.meta.url).href)
      const script = `
        const { createGenesysClient } = await import(${source('genesys/client.ts')})
        const { createRateLimiter } = await import(${source('genesys/rate-limiter.ts')})
        const { createLogger } = await import(${source('log.ts')})
        const client = createGenesysClient({
          apiUrl: 'https://api.test', loginUrl: 'https://login.test', credentials: { clientId: 'a', clientSecret: 'b' },
          limiter: createRateLimiter({ requestsPerMinute: 60 }), logger: createLogger('silent'),
        })
        const { signal } = new AbortController()
        const request = { method: 'GET', path: '/x', endpoint: 'x', priority: 'live', signal }
        console.log(JSON.stringify((await client.request(request)).data))
        client.close()`
      const env = { PATH: process.env['PATH'], HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`, NODE_EXTRA_CA_CERTS: ca }
      const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { env })
      expect(JSON.parse(stdout)).toEqual({ through: 'the tunnel' })
      expect(proxy.seen).toEqual(['CONNECT login.test:443', 'CONNECT api.test:443'])
    } finally {
      rmSync(folder, { recursive: true })
      api.closeAllConnections()
      await new Promise((resolve) => api.close(resolve))
    }
  })

  test.each([
    ['407 Proxy Authentication Required', 'requires authentication', 'HTTPS_PROXY', 'fatal', 1],
    ['403 Forbidden', 'refuses the connection (403)', 'NO_PROXY', 'fatal', 1],
    ['502 Bad Gateway', 'could not connect (502)', 'HTTPS_PROXY', 'retryable', 7],
  ])('a proxy that answers CONNECT with %s', async (status, message, hint, kind, attempts) => {
    const proxy = http.createServer()
    proxy.on('connect', (_incoming, client) => client.end(`HTTP/1.1 ${status}\r\n\r\n`))
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    try {
      await using genesys = await fakeGenesys(() => {}, {
        apiUrl: 'https://api.test',
        credentials: { accessToken: 'given' },
        proxyEnv: { HTTPS_PROXY: `http://me:hidden-word@127.0.0.1:${(proxy.address() as AddressInfo).port}` },
      })
      const error: unknown = await genesys.client.request(request()).catch((reason: unknown) => reason)
      expect(error).toMatchObject({
        code: kind === 'fatal' ? 'GENESYS_PROXY' : 'GENESYS_UNREACHABLE',
        kind,
        attempts,
        message: expect.stringContaining(message),
        hint: expect.stringContaining(hint),
      })
      expect(`${String(error)}${JSON.stringify(error)}${genesys.log()}`).not.toContain('hidden-word')
    } finally {
      proxy.closeAllConnections()
      await new Promise((resolve) => proxy.close(resolve))
    }
  })
})

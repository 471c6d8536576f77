import { expect, test } from 'vitest'
import { postJson } from '../src/post-json.ts'
import { startFakeServer } from './support/fake-server.ts'

const options = { proxyEnv: {}, timeoutMs: 10_000 }

test('posts the text as it is, with the headers given', async () => {
  await using receiver = await startFakeServer(({ response }) => response.writeHead(204).end())
  expect(await postJson(receiver.url, '{"a":  1}', { ...options, headers: { 'webhook-id': 'x' } })).toBeNull()
  expect(receiver.requests).toMatchObject([
    { method: 'POST', body: '{"a":  1}', headers: { 'content-type': 'application/json', 'webhook-id': 'x' } },
  ])
})

test('goes through the proxy of the environment, except to a loopback address and to NO_PROXY', async () => {
  await using proxy = await startFakeServer(({ response }) => response.writeHead(204).end())
  await using receiver = await startFakeServer(({ response }) => response.writeHead(204).end())
  const proxyEnv = { http_proxy: proxy.url }
  expect(await postJson('http://alerts.test/hook', '{}', { ...options, proxyEnv })).toBeNull()
  expect(proxy.requests.map(({ url }) => url)).toEqual(['http://alerts.test/hook'])
  expect(await postJson(receiver.url, '{}', { ...options, proxyEnv })).toBeNull()
  expect(receiver.requests).toHaveLength(1)
  const bypassing = { ...proxyEnv, NO_PROXY: 'alerts.invalid' }
  expect(await postJson('http://alerts.invalid/hook', '{}', { ...options, proxyEnv: bypassing })).toMatchObject({
    status: null,
    reason: expect.stringContaining('no connection'),
  })
  expect(proxy.requests).toHaveLength(1)
})

test('does not follow a redirect', async () => {
  await using other = await startFakeServer(({ response }) => response.writeHead(200).end())
  await using receiver = await startFakeServer(({ response }) => response.writeHead(307, { Location: other.url }).end())
  expect(await postJson(receiver.url, '{}', options)).toEqual({ status: 307, reason: 'the receiver answered 307' })
  expect(other.requests).toEqual([])
})

test('reports a refusal, a missing answer and a missing connection, and nothing of the URL or the answer', async () => {
  await using refusing = await startFakeServer(({ response }) => response.writeHead(410).end('private words'))
  expect(await postJson(refusing.url, '{}', options)).toEqual({ status: 410, reason: 'the receiver answered 410' })
  await using silent = await startFakeServer(() => {})
  expect(await postJson(silent.url, '{}', { ...options, timeoutMs: 50 })).toEqual({
    status: null,
    reason: 'no answer in time',
  })
  expect(await postJson('http://127.0.0.1:1', '{}', options)).toEqual({
    status: null,
    reason: 'no connection (ECONNREFUSED)',
  })
})

test('throws the reason of the signal', async () => {
  await using silent = await startFakeServer(() => {})
  const stop = new AbortController()
  const posting = postJson(silent.url, '{}', { ...options, signal: stop.signal })
  await silent.received(1)
  stop.abort(new Error('stopping'))
  await expect(posting).rejects.toThrow('stopping')
})

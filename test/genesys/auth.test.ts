import { describe, expect, test, vi } from 'vitest'
import { createTokenProvider } from '../../src/genesys/auth.ts'
import type { GenesysError } from '../../src/genesys/errors.ts'
import { json } from '../support/fake-server.ts'
import { fakeGenesys, never, request, secret } from './support.ts'

const ok = { ok: true }
const expired = { message: 'expired', code: 'credentials.expired', status: 401 }

describe('login', () => {
  test('is a client-credentials grant, made once and kept', async () => {
    await using genesys = await fakeGenesys((received) => json(received, ok))
    await Promise.all(Array.from({ length: 5 }, () => genesys.client.request(request())))
    await genesys.client.request(request())
    expect(genesys.logins()).toHaveLength(1)
    const [login] = genesys.logins()
    expect(login).toMatchObject({ method: 'POST', body: 'grant_type=client_credentials' })
    expect(login!.headers['content-type']).toBe('application/x-www-form-urlencoded')
    expect(login!.headers.authorization).toBe(`Basic ${Buffer.from(`the-client:${secret}`).toString('base64')}`)
  })

  test('goes through network errors, 5xx and 429 like any request', async () => {
    await using genesys = await fakeGenesys((received) => json(received, ok), {
      login(received, count) {
        if (count === 1) return received.socket.resetAndDestroy()
        if (count === 2) return json(received, {}, 503)
        if (count === 3) return json(received, {}, 429, { 'Retry-After': '0.01' })
        return json(received, { access_token: 'at-last', expires_in: 300 })
      },
    })
    await genesys.client.request(request())
    expect(genesys.logins()).toHaveLength(4)
    expect(genesys.api()[0]!.headers.authorization).toBe('Bearer at-last')
  })

  test.each([
    [
      'client not found',
      'GENESYS_LOGIN_CLIENT',
      'GENESYS_ENVIRONMENT is not the region of the OAuth client, or GENESYS_CLIENT_ID',
    ],
    [
      'authentication failed',
      'GENESYS_LOGIN_SECRET',
      'GENESYS_CLIENT_ID, or the OAuth client belongs to another region',
    ],
    ['client is inactive', 'GENESYS_LOGIN_INACTIVE', 'Activate'],
    ['who knows', 'GENESYS_LOGIN', 'GENESYS_CLIENT_ID'],
  ])('a refusal with "%s" says how to fix it', async (description, code, hint) => {
    for (const status of [400, 401]) {
      await using genesys = await fakeGenesys((received) => json(received, ok), {
        login: (received) => json(received, { error: 'invalid_client', error_description: description }, status),
      })
      const work = genesys.client.request(request())
      await expect(work).rejects.toMatchObject({
        code,
        kind: 'fatal',
        attempts: 1,
        hint: expect.stringContaining(hint),
      })
      expect(genesys.logins()).toHaveLength(1)
      expect(genesys.api()).toHaveLength(0)
    }
  })

  test('an answer without a token blames the URL', async () => {
    await using genesys = await fakeGenesys((received) => json(received, ok), {
      login: (received) => json(received, {}),
    })
    await expect(genesys.client.request(request())).rejects.toMatchObject({
      code: 'GENESYS_LOGIN',
      hint: expect.stringContaining('GENESYS_LOGIN_URL'),
    })
  })

  test('a login with a Retry-After of an hour is retryable later, and says when', async () => {
    await using genesys = await fakeGenesys((received) => json(received, ok), {
      login: (received) => json(received, {}, 429, { 'Retry-After': 3600 }),
    })
    const error = await genesys.client.request(request()).catch((thrown: unknown) => thrown as GenesysError)
    expect(error).toMatchObject({ code: 'GENESYS_RATE_LIMITED', kind: 'retryable', attempts: 1 })
    const seconds = (+(error as GenesysError).retryAt! - Date.now()) / 1000
    expect(seconds).toBeGreaterThan(3500)
    expect(seconds).toBeLessThan(3601)
  })

  test.each([500, 503])('a login server that keeps answering %i is retryable later', async (status) => {
    await using genesys = await fakeGenesys((received) => json(received, ok), {
      login: (received) => json(received, {}, status),
    })
    await expect(genesys.client.request(request())).rejects.toMatchObject({
      code: 'GENESYS_UNAVAILABLE',
      kind: 'retryable',
    })
  })

  test('a failed login is tried again by the next request', async () => {
    await using genesys = await fakeGenesys((received) => json(received, ok), {
      login: (received, count) =>
        count === 1 ? json(received, { error: 'x' }, 400) : json(received, { access_token: 't', expires_in: 300 }),
    })
    await expect(genesys.client.request(request())).rejects.toMatchObject({ code: 'GENESYS_LOGIN' })
    expect((await genesys.client.request(request())).data).toEqual(ok)
  })
})

describe('renewal', () => {
  test('a token that ends while requests are in flight is renewed by exactly one login', async () => {
    let dead = ''
    await using genesys = await fakeGenesys((received, all) => {
      if (all.length === 5) dead = 'Bearer token-1'
      if (received.headers.authorization === dead) return json(received, expired, 401)
      return json(received, ok)
    })
    const answers = await Promise.all(Array.from({ length: 20 }, () => genesys.client.request(request())))
    expect(answers.map(({ data }) => data)).toEqual(Array.from({ length: 20 }, () => ok))
    expect(genesys.logins()).toHaveLength(2)
    expect(genesys.api().filter(({ headers }) => headers.authorization === 'Bearer token-2').length).toBeGreaterThan(0)
  })

  test.each([1, 2, 3])('fresh tokens are tried, with backoff, when %i answers in a row are 401', async (refusals) => {
    const waits: number[] = []
    await using genesys = await fakeGenesys(
      (received, all) => (all.length <= refusals ? json(received, expired, 401) : json(received, ok)),
      { metrics: { onRetry: ({ waitMs }) => waits.push(waitMs) } },
    )
    expect((await genesys.client.request(request())).data).toEqual(ok)
    expect(genesys.logins()).toHaveLength(refusals + 1)
    expect(genesys.api().map(({ headers }) => headers.authorization)).toEqual(
      Array.from({ length: refusals + 1 }, (_, index) => `Bearer token-${index + 1}`),
    )
    expect(waits[0]).toBe(0)
    for (const wait of waits.slice(1)) expect(wait).toBeGreaterThan(0)
  })

  test('a fourth 401 in a row is final', async () => {
    await using genesys = await fakeGenesys((received) => json(received, expired, 401))
    await expect(genesys.client.request(request())).rejects.toMatchObject({
      code: 'GENESYS_UNAUTHORIZED',
      kind: 'fatal',
      attempts: 4,
    })
    expect(genesys.logins()).toHaveLength(4)
  })

  test('an implausibly short lifetime does not mean a login for every request', async () => {
    await using genesys = await fakeGenesys((received) => json(received, ok), {
      login: (received, count) => json(received, { access_token: `token-${count}`, expires_in: 0.001 }),
    })
    for (let i = 0; i < 5; i++) await genesys.client.request(request())
    expect(genesys.logins()).toHaveLength(1)
  })

  test('happens before the token expires', async () => {
    let now = 0
    const send = vi.fn(async () => ({
      data: { access_token: `t${send.mock.calls.length}`, expires_in: 3600 },
      status: 200,
      sentAt: 0,
    }))
    const tokens = createTokenProvider({ clientId: 'a', clientSecret: 'b' }, { send, close() {} }, () => now)
    expect(await tokens.token(never)).toBe('t1')
    now = 3_600_000 - 61_000
    expect(await tokens.token(never)).toBe('t1')
    now = 3_600_000 - 60_000
    expect(await Promise.all([tokens.token(never), tokens.token(never)])).toEqual(['t2', 't2'])
    tokens.refused('t1')
    expect(await tokens.token(never)).toBe('t2')
    tokens.refused('t2')
    expect(await tokens.token(never)).toBe('t3')
  })
})

describe('an access token that was given to us', () => {
  test('is used as it is, and a 401 names its variable', async () => {
    await using genesys = await fakeGenesys(
      (received, all) => (all.length === 1 ? json(received, ok) : json(received, expired, 401)),
      { credentials: { accessToken: 'given-token' } },
    )
    await genesys.client.request(request())
    expect(genesys.api()[0]!.headers.authorization).toBe('Bearer given-token')
    await expect(genesys.client.request(request())).rejects.toMatchObject({
      code: 'GENESYS_UNAUTHORIZED',
      attempts: 1,
      hint: expect.stringContaining('GENESYS_ACCESS_TOKEN'),
    })
    expect(genesys.logins()).toHaveLength(0)
  })
})

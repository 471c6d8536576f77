import { describe, expect, test } from 'vitest'
import { decideRetry, parseRetryAfter } from '../../src/genesys/retry.ts'
import type { Failure, RetryReason } from '../../src/genesys/retry.ts'

const status = (code: number, retryAfterMs?: number): Failure => ({ kind: 'status', status: code, retryAfterMs })
const decide = (failure: Failure, earlier: RetryReason[] = [], random = 0) => decideRetry(failure, earlier, random)
const times = (count: number, reason: RetryReason): RetryReason[] => Array.from({ length: count }, () => reason)

describe('how often a failure is retried', () => {
  const table: [name: string, failure: Failure, retries: number, reason: RetryReason][] = [
    ['a network error', { kind: 'network' }, 6, 'network'],
    ['a body that is cut off or no JSON', { kind: 'bad-body' }, 6, 'bad-body'],
    ['502', status(502), 6, 'unavailable'],
    ['503', status(503), 6, 'unavailable'],
    ['520 of a CDN', status(520), 6, 'unavailable'],
    ['500', status(500), 2, 'server-error'],
    ['504', status(504), 1, 'timeout'],
    ['408', status(408), 1, 'timeout'],
    ['a timeout of our own', { kind: 'timeout' }, 1, 'timeout'],
    ['401', status(401), 3, 'unauthorized'],
    ['429', status(429), 10, 'rate-limited'],
  ]
  test.each(table)('%s is retried a bounded number of times', (_name, failure, retries, reason) => {
    expect(decide(failure, times(retries - 1, reason))).toMatchObject({ action: 'retry', reason })
    expect(decide(failure, times(retries, reason))).toEqual({ action: 'give-up', why: 'exhausted' })
  })

  test.each([302, 400, 403, 404, 407, 409, 413, 415, 501])('%i is never retried', (code) => {
    expect(decide(status(code))).toEqual({ action: 'give-up', why: 'permanent' })
  })

  test('a certificate that is not trusted, and an answer that is too large, are never retried', () => {
    expect(decide({ kind: 'certificate' })).toEqual({ action: 'give-up', why: 'permanent' })
    expect(decide({ kind: 'too-large' })).toEqual({ action: 'give-up', why: 'permanent' })
  })

  test.each([
    [401, false],
    [403, false],
    [404, false],
    [407, false],
    [408, true],
    [429, true],
    [502, true],
    [503, true],
    [504, true],
  ])('a proxy that answers CONNECT with %i: retried is %j', (code, isRetried) => {
    expect(decide({ kind: 'proxy', status: code }).action === 'retry').toBe(isRetried)
  })

  test('network errors, broken bodies and 502/503 share one budget', () => {
    const earlier: RetryReason[] = [...times(2, 'network'), ...times(2, 'bad-body'), ...times(2, 'unavailable')]
    expect(decide({ kind: 'network' }, earlier)).toEqual({ action: 'give-up', why: 'exhausted' })
    expect(decide(status(500), earlier)).toMatchObject({ action: 'retry' })
  })
})

describe('how long a retry waits', () => {
  const wait = (failure: Failure, earlier: RetryReason[] = [], random = 0): number => {
    const decision = decideRetry(failure, earlier, random)
    return 'waitMs' in decision ? decision.waitMs : Number.NaN
  }

  test('the wait doubles, up to a ceiling, and half of it is jitter', () => {
    const ceilings = [0, 1, 2, 3, 4, 5].map((spent) => wait({ kind: 'network' }, times(spent, 'network'), 1))
    expect(ceilings).toEqual([500, 1000, 2000, 4000, 8000, 16_000])
    expect(wait({ kind: 'network' }, [], 0)).toBe(250)
    expect(wait(status(429), times(9, 'rate-limited'), 1)).toBe(30_000)
  })

  test('Retry-After is followed for 429 and 503, and only there', () => {
    expect(wait(status(429, 42_000))).toBe(42_000)
    expect(wait(status(503, 7000))).toBe(7000)
    expect(wait(status(500, 7000), [], 1)).toBe(500)
  })

  test('a Retry-After of nothing still leaves a moment', () => {
    expect(wait(status(429, 0), [], 1)).toBe(500)
  })

  test('up to 180 s are waited for, more ends the request with how long it would have been', () => {
    expect(wait(status(429, 180_000))).toBe(180_000)
    expect(decide(status(429, 180_001))).toEqual({ action: 'give-up', why: 'long-wait', waitMs: 180_001 })
  })

  test('a renewed token is tried at once, the next ones with backoff', () => {
    expect(wait(status(401))).toBe(0)
    expect(wait(status(401), ['unauthorized'], 1)).toBe(1000)
    expect(wait(status(401), ['unauthorized', 'unauthorized'], 1)).toBe(2000)
  })
})

describe('Retry-After', () => {
  const now = Date.parse('2026-11-22T10:00:00Z')
  test.each([
    ['42', 42_000],
    [' 7 ', 7000],
    ['0', 0],
    [3, 3000],
    ['1.5', 1500],
    ['Sun, 22 Nov 2026 10:00:30 GMT', 30_000],
    ['Sun, 22 Nov 2026 09:00:00 GMT', 0],
    ['99999999999999', 86_400_000],
    ['9'.repeat(400), 86_400_000],
    ['Fri, 31 Dec 9999 23:59:59 GMT', 86_400_000],
    ['-5', undefined],
    ['soon', undefined],
    ['', undefined],
    ['Sun, never', undefined],
    [undefined, undefined],
    [['1'], undefined],
  ])('%j means %j ms', (header, ms) => {
    expect(parseRetryAfter(header, now)).toBe(ms)
  })
})

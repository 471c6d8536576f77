import { afterAll, afterEach, expect, test } from 'vitest'
import { EtlError, exitCodeFor } from '../../src/errors.ts'
import type { FaultKind, FaultRule } from '../../src/simulator/faults.ts'
import { connectTestOrg, pagesAsked, startOrg } from '../support/simulated-org.ts'

const days = ['2025-06-10', '2025-06-11', '2025-06-12']

const passing: readonly [string, FaultRule[]][] = [
  ['429 with Retry-After', [{ on: 'details', kind: '429', every: 5, retryAfterSeconds: 0.05 }]],
  ['429 with Retry-After as a date', [{ on: 'details', kind: '429-date', nth: 4, retryAfterSeconds: 0 }]],
  ['429 without Retry-After', [{ on: 'details', kind: '429-no-header', every: 5, times: 3 }]],
  ['500 with HTML', [{ on: 'details', kind: '500-html', every: 5 }]],
  ['502 with HTML', [{ on: 'details', kind: '502-html', every: 3 }]],
  ['503', [{ on: 'details', kind: '503', every: 3 }]],
  ['504', [{ on: 'details', kind: '504', every: 6 }]],
  ['connections reset before the answer', [{ on: 'details', kind: 'reset-before', every: 3 }]],
  ['connections reset in the body', [{ on: 'details', kind: 'reset-in-body', every: 3 }]],
  ['truncated JSON', [{ on: 'details', kind: 'truncated', every: 3 }]],
  ['HTML with status 200', [{ on: 'details', kind: 'html-200', every: 3 }]],
  ['empty bodies with status 200', [{ on: 'details', kind: 'empty-200', every: 3 }]],
  ['answers that never come', [{ on: 'details', kind: 'hang', nth: 5 }]],
  // not every fourth: a second 401 in a row is final, and the second attempt could be the next fourth
  [
    '401 in mid-range',
    [
      { on: 'details', kind: '401', nth: 5 },
      { on: 'details', kind: '401', nth: 30 },
    ],
  ],
  [
    'faults of the login',
    [
      { on: 'token', kind: '503', nth: 1 },
      { on: 'token', kind: 'truncated', nth: 2 },
    ],
  ],
  [
    'all of them mixed',
    (
      ['429', '502-html', '503', 'reset-before', 'reset-in-body', 'truncated', 'html-200', 'empty-200', '401'] as const
    ).map((kind: FaultKind): FaultRule => ({ on: 'details', kind, probability: 0.04, retryAfterSeconds: 0.02 })),
  ],
]

// decimal seconds in the headers of a shortened limit: a 429 without Retry-After is waited for until its reset
const org = await startOrg({ rateLimit: { requestsPerMinute: 1_000_000, windowMs: 300 } })
afterAll(() => org.close())
afterEach(() => org.control.faults.clear())

test.each(passing)('loads everything through %s', async (_name, faults) => {
  await using it = await connectTestOrg(org)
  org.control.faults.add(...faults)
  const summary = await it.backfill(undefined, { timeoutMs: 1500 })
  expect(org.control.faults.happened()).toBeGreaterThan(0)
  expect(summary.windows).toMatchObject({ planned: 3, done: 3, failed: 0 })
  expect(await it.doneDays()).toEqual(days)
  await it.expectEqual()
})

test('fails with the time of the next attempt when Retry-After is longer than a request waits, and resumes afterwards', async () => {
  await using it = await connectTestOrg(org)
  const before = Date.now()
  org.control.faults.add({ on: 'details', kind: '429-long', nth: 7, retryAfterSeconds: 600 })
  const failure = await it.backfill(undefined, { settings: { concurrency: 1 } }).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(EtlError)
  expect(failure).toMatchObject({ code: 'GENESYS_RATE_LIMITED', kind: 'retryable' })
  expect(+((failure as EtlError).retryAt ?? 0)).toBeGreaterThan(before + 590_000)
  expect(exitCodeFor(failure)).toBe(75)

  org.control.faults.clear()
  const done = await it.doneDays()
  const asked = org.requests.length
  await it.backfill()
  expect(pagesAsked(org.requests.slice(asked)).filter((day) => done.includes(day))).toEqual([])
  expect(await it.doneDays()).toEqual(days)
  await it.expectEqual()
})

test.each<[FaultKind, string]>([
  ['500-html', 'GENESYS_UNAVAILABLE'],
  ['503', 'GENESYS_UNAVAILABLE'],
  ['reset-before', 'GENESYS_UNREACHABLE'],
  ['429', 'GENESYS_RATE_LIMITED'],
  ['html-200', 'GENESYS_BAD_ANSWER'],
  ['504', 'GENESYS_TIMEOUT'],
])('fails with a retryable error while %s continues, and loads everything afterwards', async (kind, code) => {
  await using it = await connectTestOrg(org)
  org.control.faults.add({ on: 'details', kind, retryAfterSeconds: 0.01 })
  await expect(it.backfill()).rejects.toMatchObject({ code, kind: 'retryable' })
  org.control.faults.clear()
  await it.backfill()
  expect(await it.doneDays()).toEqual(days)
  await it.expectEqual()
})

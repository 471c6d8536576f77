import { expect, test } from 'vitest'
import { healthCheck } from '../../src/monitoring/health-check.ts'
import { type Problem } from '../../src/monitoring/problems.ts'
import { type JobRecord, type LiveRecord, type RunSummary } from '../../src/monitoring/records.ts'
import { statusDocument, type StatusInputs } from '../../src/monitoring/status.ts'

const now = new Date('2026-11-22T12:00:00.000Z')
const ago = (seconds: number): Date => new Date(+now - seconds * 1000)
const yesterday = {
  start: new Date('2026-11-21T00:00:00Z'),
  end: new Date('2026-11-22T00:00:00Z'),
  status: 'done' as const,
  attempts: 1,
  hits: 10,
  readAt: new Date('2026-11-22T02:16:00Z'),
  nextAttemptAt: null,
  error: null,
}
const inputs: StatusInputs = {
  now,
  lookbackDays: 1,
  historyStart: null,
  windows: [yesterday],
  runs: [],
  jobs: [],
  rejectedRecords: 0,
  rejectedReasons: [],
  live: null,
  deliveries: { pending: 0, oldestPendingAt: null, givenUp: 0, lastError: null, isStopped: false },
}
const check = (changes: Partial<StatusInputs>) => healthCheck(statusDocument({ ...inputs, ...changes }))

function failedJob(failuresInARow: number, errorKind: RunSummary['errorKind']): JobRecord {
  const failure: RunSummary = {
    id: 1,
    job: 'sync',
    trigger: 'cron',
    status: 'failed',
    startedAt: ago(60),
    finishedAt: ago(30),
    counts: null,
    errorCode: 'X',
    ...(errorKind !== undefined && { errorKind }),
    error: 'Genesys answered 503\nafter 7 attempts.',
    hint: 'Wait.',
  }
  return { job: 'sync', lastRun: failure, lastSuccessAt: null, failuresInARow, lastFailure: failure }
}

const live = (ageSeconds: number): LiveRecord => ({
  snapshot: {
    at: ago(ageSeconds),
    source: 'analytics',
    conversations: 1,
    durationMs: 1,
    requests: 1,
    stretched: false,
  },
  failure: null,
  byState: {},
})

test('what is due and loaded is 0, with up to when', () => {
  expect(check({})).toEqual({ exitCode: 0, reason: 'ok: everything due is loaded; complete until 2026-11-22T00:00Z' })
})

test('a day that is not loaded yet is 75', () => {
  expect(check({ windows: [] })).toEqual({
    exitCode: 75,
    reason: 'late: days are not loaded yet; nothing is complete since 2026-11-21T00:00Z',
  })
})

test.each([
  ['a transient failure', [failedJob(1, 'retryable')], 75],
  ['the second one', [failedJob(2, 'retryable')], 75],
  ['the third one in a row', [failedJob(3, 'retryable')], 1],
  ['a failure that needs action', [failedJob(1, 'fatal')], 1],
  ['one of a release that recorded no kind', [failedJob(1, undefined)], 1],
  ['a transient one beside one that needs action', [failedJob(1, 'retryable'), failedJob(1, 'config')], 1],
])('%s: %j', (_name, jobs, exitCode) => {
  const { exitCode: found, reason } = check({ jobs })
  expect(found).toBe(exitCode)
  expect(reason).toContain('Genesys answered 503 after 7 attempts. Wait')
})

test.each([
  [100, 0],
  [300, 75],
  [700, 1],
])('live data that is %i s old: %i', (ageSeconds, exitCode) => {
  expect(check({ live: live(ageSeconds) }).exitCode).toBe(exitCode)
})

test.each([
  [1, 75],
  [3, 1],
])('a window that has failed %i times: %i', (attempts, exitCode) => {
  expect(check({ windows: [{ ...yesterday, status: 'failed', attempts, error: 'refused' }] }).exitCode).toBe(exitCode)
})

test('is one line, names the first trouble, and counts the others', () => {
  const trouble = (title: string): Problem => ({ severity: 'trouble', title, detail: 'a\nb.', hint: null, since: null })
  const document = { ...statusDocument(inputs), problems: [trouble('One'), trouble('Two'), trouble('Three')] }
  expect(healthCheck(document)).toEqual({ exitCode: 1, reason: 'failing: One. a b (and 2 more: see status)' })
})

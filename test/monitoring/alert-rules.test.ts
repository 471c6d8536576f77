import { expect, test } from 'vitest'
import {
  afterTelling,
  alertConditions,
  alertSteps,
  CLEAR_SECONDS,
  DATABASE_AWAY_SECONDS,
  HISTORY_LATE_SECONDS,
  LIVE_LATE_SECONDS,
  type AlertFacts,
  type Condition,
  type Told,
} from '../../src/monitoring/alert-rules.ts'
import type { JobRecord } from '../../src/monitoring/records.ts'
import { statusDocument, type StatusInputs } from '../../src/monitoring/status.ts'

const now = new Date('2026-11-22T12:00:00.000Z')
const ago = (seconds: number, from = now): Date => new Date(+from - seconds * 1000)
const day = (age: number): Date => new Date(Date.parse('2026-11-22T00:00:00Z') - age * 86_400_000)

const covered = (ages: number[]): StatusInputs['windows'] =>
  ages.map((age) => ({
    start: day(age),
    end: day(age - 1),
    status: 'done',
    readAt: ago(3600),
    nextAttemptAt: null,
    hits: 10,
    attempts: 1,
    error: null,
  }))

function job(name: string, failures: number, overrides: Partial<JobRecord['lastRun']> = {}): JobRecord {
  const status = failures > 0 ? 'failed' : 'done'
  const error = failures > 0 ? 'Genesys said no' : null
  const run = { id: 1, job: name, trigger: 'cron', status, startedAt: ago(60), finishedAt: ago(30), counts: null }
  const lastRun = { ...run, errorCode: null, error, hint: 'Ask Genesys.', ...overrides }
  return {
    job: name,
    lastRun,
    lastSuccessAt: null,
    failuresInARow: failures,
    lastFailure: failures > 0 ? lastRun : null,
  }
}

function facts(inputs: Partial<StatusInputs> = {}, overrides: Partial<AlertFacts> = {}): AlertFacts {
  const document = statusDocument({
    now,
    lookbackDays: 2,
    historyStart: null,
    windows: covered([1, 2]),
    runs: [],
    jobs: [],
    rejectedRecords: 0,
    rejectedReasons: [],
    live: { snapshot: snapshot(30), failure: null, byState: {} },
    deliveries: { pending: 0, oldestPendingAt: null, givenUp: 0, lastError: null },
    ...inputs,
  })
  return {
    now,
    document,
    databaseAwaySince: null,
    databaseReason: null,
    serviceStartedAt: ago(86_400),
    isLiveOn: true,
    liveLateSeconds: LIVE_LATE_SECONDS,
    fatalJobs: [],
    ...overrides,
  }
}

const snapshot = (age: number) => ({
  at: ago(age),
  source: 'analytics',
  conversations: 3,
  durationMs: 900,
  requests: 2,
  stretched: false,
})
const live = (age: number): StatusInputs['live'] => ({ snapshot: snapshot(age), failure: null, byState: {} })
const keys = (given: AlertFacts, told: Told = {}): string[] => alertConditions(given, told).map(({ key }) => key)
const toldOf = (key: string): Told => ({
  [key]: { key, title: key, detail: null, hint: null, since: now.toISOString(), clearSince: null },
})

test('there is nothing to tell while all is well', () => {
  expect(keys(facts())).toEqual([])
})

test('a job is told of at its second failure in a row, at the first where a human is needed', () => {
  expect(keys(facts({ jobs: [job('sync', 1)] }))).toEqual([])
  expect(keys(facts({ jobs: [job('sync', 2)] }))).toEqual(['job-failed:sync'])
  expect(keys(facts({ jobs: [job('sync', 1)] }, { fatalJobs: ['sync'] }))).toEqual(['job-failed:sync'])
})

test('a failure that was told stays one after a restart that knows no kind of it, until the job ends well', () => {
  expect(keys(facts({ jobs: [job('sync', 1)] }), toldOf('job-failed:sync'))).toEqual(['job-failed:sync'])
  expect(keys(facts({ jobs: [job('sync', 0)] }), toldOf('job-failed:sync'))).toEqual([])
})

test('what a human started by hand tells its failure to that human', () => {
  expect(keys(facts({ jobs: [job('backfill', 3, { trigger: 'manual' })] }))).toEqual([])
})

test('a history that is owed for longer than a day and a half is late, unless a run is at work on it', () => {
  const owing = { windows: covered([2]), lookbackDays: 2 }
  expect(facts(owing).document?.history.lagSeconds).toBe(HISTORY_LATE_SECONDS)
  expect(keys(facts(owing))).toEqual([])
  const none = { windows: [], lookbackDays: 2 }
  expect(keys(facts(none))).toEqual(['history-late'])
  const run = (startedAt: Date) => ({ ...job('sync', 0).lastRun, status: 'running', startedAt, finishedAt: null })
  expect(keys(facts({ ...none, runs: [run(ago(3600))] }))).toEqual([])
  expect(keys(facts({ ...none, runs: [run(ago(90_000))] }))).toEqual(['history-late'])
})

test('live is late after ten minutes without a complete snapshot; a service that just started has that long', () => {
  expect(keys(facts({ live: live(LIVE_LATE_SECONDS) }))).toEqual([])
  expect(keys(facts({ live: live(LIVE_LATE_SECONDS + 1) }))).toEqual(['live-late'])
  expect(keys(facts({ live: live(7200) }, { serviceStartedAt: ago(60) }))).toEqual([])
  expect(keys(facts({ live: null }, { serviceStartedAt: ago(60) }))).toEqual([])
  expect(keys(facts({ live: null }, { serviceStartedAt: ago(700) }))).toEqual(['live-late'])
  expect(keys(facts({ live: live(7200) }, { isLiveOn: false }))).toEqual([])
  expect(keys(facts({ live: live(7200) }, { liveLateSeconds: 9000 }))).toEqual([])
})

test('a restart does not end what was told of live', () => {
  expect(keys(facts({ live: live(7200) }, { serviceStartedAt: ago(60) }), toldOf('live-late'))).toEqual(['live-late'])
})

test('messages to the webhook that wait for more than an hour are told', () => {
  const deliveries = (age: number) => ({ pending: 2, oldestPendingAt: ago(age), givenUp: 0, lastError: 'answered 500' })
  expect(keys(facts({ deliveries: deliveries(3000) }))).toEqual([])
  expect(keys(facts({ deliveries: deliveries(3700) }))).toEqual(['delivery-late'])
})

test('a database is told of once it has been away for five minutes; nothing else can be said then', () => {
  const away = (seconds: number) => facts({}, { document: null, databaseAwaySince: ago(seconds) })
  expect(keys(away(DATABASE_AWAY_SECONDS - 1))).toEqual([])
  expect(keys(away(DATABASE_AWAY_SECONDS))).toEqual(['database-away'])
})

const condition: Condition = { key: 'live-late', title: 'No live snapshot', detail: null, hint: null }

test('a condition is told once, and its end once it has been over for five minutes', () => {
  const raised = alertSteps({}, [condition], now, true)
  expect(raised.messages).toEqual([{ status: 'raised', condition, since: now }])
  const told = afterTelling(raised.noted, raised.messages[0]!)
  expect(alertSteps(told, [condition], ago(-3600), true)).toEqual({ messages: [], noted: told })

  const over = alertSteps(told, [], ago(-3660), true)
  expect(over.messages).toEqual([])
  const later = alertSteps(over.noted, [], ago(-3660 - CLEAR_SECONDS), true)
  expect(later.messages).toEqual([{ status: 'resolved', condition, since: now }])
  expect(afterTelling(later.noted, later.messages[0]!)).toEqual({})
})

test('one that comes and goes is told of once', () => {
  let told = afterTelling({}, { status: 'raised', condition, since: now })
  let messages = 0
  for (let minute = 0; minute < 120; minute++) {
    const steps = alertSteps(told, minute % 4 === 0 ? [condition] : [], ago(-60 * minute), true)
    messages += steps.messages.length
    told = steps.noted
  }
  expect(messages).toBe(0)
})

test('while the books can’t be read nothing is taken for over', () => {
  const told = afterTelling({}, { status: 'raised', condition, since: now })
  const blind = alertSteps(told, [], ago(-10_000), false)
  expect(blind).toEqual({ messages: [], noted: told })
})

import { expect, test } from 'vitest'
import {
  afterNotification,
  alertConditions,
  planNotifications,
  CLEAR_SECONDS,
  DATABASE_AWAY_SECONDS,
  HISTORY_LATE_SECONDS,
  type AlertFacts,
  type Condition,
  type SentAlerts,
} from '../../src/monitoring/alert-rules.ts'
import { LIVE_LATE_SECONDS } from '../../src/monitoring/live-status.ts'
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
  const status = failures > 0 ? ('failed' as const) : ('done' as const)
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
    deliveries: { pending: 0, oldestPendingAt: null, givenUp: 0, lastError: null, isStopped: false },
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
const keys = (given: AlertFacts, sent: SentAlerts = {}): string[] => alertConditions(given, sent).map(({ key }) => key)
const sentAlert = (key: string): SentAlerts => ({
  [key]: { key, title: key, detail: null, hint: null, since: now.toISOString(), clearSince: null },
})

test('raises nothing while everything works', () => {
  expect(keys(facts())).toEqual([])
})

test('raises an alert at the second failure in a row, and at the first one that needs somebody to act', () => {
  expect(keys(facts({ jobs: [job('sync', 1)] }))).toEqual([])
  expect(keys(facts({ jobs: [job('sync', 2)] }))).toEqual(['job-failed:sync'])
  expect(keys(facts({ jobs: [job('sync', 1)] }, { fatalJobs: ['sync'] }))).toEqual(['job-failed:sync'])
})

test('keeps a job alert after a restart, which does not know the kind of failure, until the job succeeds', () => {
  expect(keys(facts({ jobs: [job('sync', 1)] }), sentAlert('job-failed:sync'))).toEqual(['job-failed:sync'])
  expect(keys(facts({ jobs: [job('sync', 0)] }), sentAlert('job-failed:sync'))).toEqual([])
})

test('raises no alert for manually started runs', () => {
  expect(keys(facts({ jobs: [job('backfill', 3, { trigger: 'manual' })] }))).toEqual([])
})

test('raises an alert when the history lags by more than a day and a half, unless a run is in progress', () => {
  const behind = { windows: covered([2]), lookbackDays: 2 }
  expect(facts(behind).document?.history.lagSeconds).toBe(HISTORY_LATE_SECONDS)
  expect(keys(facts(behind))).toEqual([])
  const none = { windows: [], lookbackDays: 2 }
  expect(keys(facts(none))).toEqual(['history-late'])
  const run = (startedAt: Date) => ({
    ...job('sync', 0).lastRun,
    status: 'running' as const,
    startedAt,
    finishedAt: null,
  })
  expect(keys(facts({ ...none, runs: [run(ago(3600))] }))).toEqual([])
  expect(keys(facts({ ...none, runs: [run(ago(90_000))] }))).toEqual(['history-late'])
})

test('raises an alert after ten minutes without a complete snapshot, counted from the start of the service', () => {
  expect(keys(facts({ live: live(LIVE_LATE_SECONDS) }))).toEqual([])
  expect(keys(facts({ live: live(LIVE_LATE_SECONDS + 1) }))).toEqual(['live-late'])
  expect(keys(facts({ live: live(7200) }, { serviceStartedAt: ago(60) }))).toEqual([])
  expect(keys(facts({ live: null }, { serviceStartedAt: ago(60) }))).toEqual([])
  expect(keys(facts({ live: null }, { serviceStartedAt: ago(700) }))).toEqual(['live-late'])
  expect(keys(facts({ live: live(7200) }, { isLiveOn: false }))).toEqual([])
  expect(keys(facts({ live: live(7200) }, { liveLateSeconds: 9000 }))).toEqual([])
})

test('keeps a live alert after a restart', () => {
  expect(keys(facts({ live: live(7200) }, { serviceStartedAt: ago(60) }), sentAlert('live-late'))).toEqual([
    'live-late',
  ])
})

test('raises an alert when webhook messages have been pending for more than an hour', () => {
  const deliveries = (age: number) => ({
    pending: 2,
    oldestPendingAt: ago(age),
    givenUp: 0,
    lastError: 'answered 500',
    isStopped: false,
  })
  expect(keys(facts({ deliveries: deliveries(3000) }))).toEqual([])
  expect(keys(facts({ deliveries: deliveries(3700) }))).toEqual(['delivery-late'])
})

test('raises an alert at once when the receiver has ended the deliveries', () => {
  const deliveries = {
    pending: 1,
    oldestPendingAt: ago(1),
    givenUp: 0,
    lastError: 'answered 410 (Gone)',
    isStopped: true,
  }
  expect(keys(facts({ deliveries }))).toEqual(['delivery-stopped'])
})

test('raises only the database alert once the database has been away for five minutes', () => {
  const away = (seconds: number) => facts({}, { document: null, databaseAwaySince: ago(seconds) })
  expect(keys(away(DATABASE_AWAY_SECONDS - 1))).toEqual([])
  expect(keys(away(DATABASE_AWAY_SECONDS))).toEqual(['database-away'])
})

const condition: Condition = { key: 'live-late', title: 'Live data is late', detail: null, hint: null }

test('notifies once when a condition appears, and once when it has been absent for five minutes', () => {
  const raised = planNotifications({}, [condition], now, true)
  expect(raised.messages).toEqual([{ status: 'raised', condition, since: now }])
  const sent = afterNotification(raised.sent, raised.messages[0]!)
  expect(planNotifications(sent, [condition], ago(-3600), true)).toEqual({ messages: [], sent })

  const over = planNotifications(sent, [], ago(-3660), true)
  expect(over.messages).toEqual([])
  const later = planNotifications(over.sent, [], ago(-3660 - CLEAR_SECONDS), true)
  expect(later.messages).toEqual([{ status: 'resolved', condition, since: now }])
  expect(afterNotification(later.sent, later.messages[0]!)).toEqual({})
})

test('notifies once about a condition that keeps coming and going', () => {
  let sent = afterNotification({}, { status: 'raised', condition, since: now })
  let messages = 0
  for (let minute = 0; minute < 120; minute++) {
    const steps = planNotifications(sent, minute % 4 === 0 ? [condition] : [], ago(-60 * minute), true)
    messages += steps.messages.length
    sent = steps.sent
  }
  expect(messages).toBe(0)
})

test('resolves nothing while the database cannot be read', () => {
  const sent = afterNotification({}, { status: 'raised', condition, since: now })
  const blind = planNotifications(sent, [], ago(-10_000), false)
  expect(blind).toEqual({ messages: [], sent })
})

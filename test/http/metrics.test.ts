import { readFile } from 'node:fs/promises'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { createMetrics } from '../../src/metrics.ts'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { emptyLoadCounts } from '../../src/loader/load-counts.ts'
import { loadBatch } from '../../src/loader/load.ts'
import { insertMessages } from '../../src/webhooks/outbox.ts'
import { ensurePartitions } from '../../src/loader/partitions.ts'
import { createFileDatabase, createTestDatabase } from '../support/database.ts'
import { writeBusyCenter, writeFailedSnapshot, writeSnapshot } from '../support/busy-center.ts'
import { createTestRoutes, jobState } from './service.ts'

const database = await createFileDatabase()
const metrics = createMetrics()
let warehouse: Warehouse
beforeAll(async () => {
  warehouse = connect(database.url)
  await writeBusyCenter(warehouse, new Date(), 10)
})
afterAll(() => warehouse.close())

interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** The text format of Prometheus, strictly: a line that is none fails. */
function parse(text: string): Sample[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !/^# (HELP|TYPE) [a-z_\d]+ .+$/.test(line))
    .map((line) => {
      const [, name = '', labels = '', value = ''] = /^([a-z_\d]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
      expect(name, line).not.toBe('')
      // prom-client's spelling of NaN, which Prometheus reads
      if (value !== 'Nan') expect(Number(value), line).not.toBeNaN()
      const pairs = [...labels.matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, key = '', text = '']) => [key, text])
      return { name, labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) }
    })
}

async function scrape(
  from: Warehouse = warehouse,
): Promise<(name: string, labels?: Sample['labels']) => number | undefined> {
  const jobs = [jobState('sync', { overlaps: 2 })]
  const budget = { sent: 141, live: 22, waiting: 3, pausedForMs: 0, waitMs: 0, limit: 270 }
  const answer = await createTestRoutes(from, { metrics, process: () => ({ jobs, budget }) }).request('/metrics')
  expect(answer.status).toBe(200)
  expect(answer.headers.get('Content-Type')).toMatch(/^text\/plain; version=0.0.4/)
  const samples = parse(await answer.text())
  return (name, labels = {}) =>
    samples.find(
      (sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
    )?.value
}

test('counts requests, retries and the waiting time imposed by 429 responses', async () => {
  metrics.genesysHooks.onRequest?.({ endpoint: 'details-query', statusClass: '2xx', durationMs: 800 })
  metrics.genesysHooks.onRequest?.({ endpoint: 'details-query', statusClass: '429', durationMs: 20 })
  metrics.genesysHooks.onRetry?.({ endpoint: 'details-query', reason: 'rate-limited', waitMs: 12_000 })
  const value = await scrape()
  expect(value('genesys_etl_requests_total', { endpoint: 'details-query', status_class: '429' })).toBe(1)
  expect(value('genesys_etl_request_retries_total', { reason: 'rate-limited' })).toBe(1)
  expect(value('genesys_etl_rate_limited_seconds_total', { endpoint: 'details-query' })).toBe(12)
  expect(value('genesys_etl_request_duration_seconds_count', { endpoint: 'details-query' })).toBe(2)
  expect(value('genesys_etl_request_duration_seconds_sum', { endpoint: 'details-query' })).toBeCloseTo(0.82)
  const bucket = (le: string) => value('genesys_etl_request_duration_seconds_bucket', { endpoint: 'details-query', le })
  expect(['0.1', '0.5', '1', '60'].map(bucket), 'answers of 20 and 800 ms, by bucket').toEqual([1, 1, 2, 2])
  expect(value('genesys_etl_request_budget_used', { for: 'live' })).toBe(22)
  expect(value('genesys_etl_ticks_skipped', { job: 'sync' })).toBe(2)
  expect(value('genesys_etl_ticks_skipped_total', { job: 'sync' })).toBe(2)
})

test('marks an alert as active from when it is sent until it is resolved, each under its own name', async () => {
  const active = async () => {
    const value = await scrape()
    const conditions = ['history-late', 'job-failed:sync']
    return conditions.map((condition) => value('genesys_etl_alert_active', { condition }))
  }
  metrics.setAlerts(['history-late'])
  expect(await active()).toEqual([1, undefined])
  metrics.setAlerts(['job-failed:sync', 'history-late'])
  expect(await active()).toEqual([1, 1])
  metrics.setAlerts(['job-failed:sync'])
  expect(await active()).toEqual([undefined, 1])
  metrics.setAlerts([])
  expect(await active()).toEqual([undefined, undefined])
})

test('counts the outcomes of loaded records, whichever job loads them', async () => {
  const start = new Date(Date.now() - 86_400_000)
  const record = {
    conversation: {
      conversationId: 'c-1',
      conversationStart: start.toISOString(),
      participants: [{ purpose: 'customer' }],
    },
    fetchedAt: new Date().toISOString(),
  }
  await ensurePartitions(warehouse, { start, end: new Date() })
  const options = { source: 'query', runId: null, deliversAttributes: false, onLoaded: metrics.countLoad }
  await loadBatch(warehouse, [record, { ...record, conversation: { nothing: true } }], options)
  await loadBatch(warehouse, [{ ...record, fetchedAt: new Date(Date.now() + 1000).toISOString() }], options)
  const value = await scrape()
  expect(value('genesys_etl_rows_total', { table: 'conversations', outcome: 'inserted' })).toBe(1)
  expect(value('genesys_etl_rows_total', { table: 'conversations', outcome: 'rejected' })).toBe(1)
  expect(value('genesys_etl_rows_total', { table: 'conversations', outcome: 'unchanged' })).toBe(1)
  expect(value('genesys_etl_rows_total', { table: 'participants', outcome: 'written' })).toBe(1)
  metrics.countLoad({ ...emptyLoadCounts(), changed: 3, reopened: 2, missing: 1 })
  const after = await scrape()
  expect(after('genesys_etl_conversations_reopened_total')).toBe(2)
  expect(after('genesys_etl_conversations_missing_total')).toBe(1)
})

test('counts days that had conversations and became empty', async () => {
  expect((await scrape())('genesys_etl_windows_emptied_total')).toBe(0)
  metrics.countEmptied()
  metrics.countEmptied()
  expect((await scrape())('genesys_etl_windows_emptied_total')).toBe(2)
})

test('publishes windows, lag, successes, the snapshot and open conversations', async () => {
  const value = await scrape()
  expect(value('genesys_etl_database_up')).toBe(1)
  expect(value('genesys_etl_windows', { state: 'done' })).toBe(10)
  expect(value('genesys_etl_watermark_lag_seconds', { stream: 'conversations' })).toBeLessThan(86_400)
  expect(value('genesys_etl_last_success_timestamp_seconds', { job: 'sync' })).toBeGreaterThan(1.7e9)
  expect(value('genesys_etl_live_snapshot_age_seconds')).toBeGreaterThan(0)
  expect(value('genesys_etl_live_snapshot_duration_seconds')).toBeCloseTo(1.34)
  expect(value('genesys_etl_live_conversations', { state: 'waiting' })).toBe(10)
  expect(value('nodejs_eventloop_lag_seconds')).toBeGreaterThanOrEqual(0)
})

test('counts the failures of the live job, also while it has never succeeded', async () => {
  await using fresh = await createTestDatabase()
  await using empty = connect(fresh.url)
  const failed = { job: 'live' }
  expect((await scrape(empty))('genesys_etl_failures_in_a_row', failed)).toBeUndefined()
  const minutesAgo = (minutes: number): Date => new Date(Date.now() - minutes * 60_000)
  for (const minutes of [9, 8, 7]) await writeFailedSnapshot(empty, minutesAgo(minutes), 'no')
  const never = await scrape(empty)
  expect(never('genesys_etl_failures_in_a_row', failed)).toBe(3)
  expect(never('genesys_etl_live_snapshot_age_seconds')).toBeUndefined()
  await writeSnapshot(empty, minutesAgo(5), [])
  expect((await scrape(empty))('genesys_etl_failures_in_a_row', failed)).toBe(0)
  await writeFailedSnapshot(empty, minutesAgo(4), 'no')
  const again = await scrape(empty)
  expect(again('genesys_etl_failures_in_a_row', failed)).toBe(1)
  expect(again('genesys_etl_last_success_timestamp_seconds', failed)).toBeGreaterThan(1.7e9)
})

test('counts webhook messages that are pending and those that were abandoned', async () => {
  await using fresh = await createTestDatabase()
  await using other = connect(fresh.url)
  const idle = await scrape(other)
  expect(idle('genesys_etl_webhook_messages_pending')).toBe(0)
  expect(idle('genesys_etl_webhook_oldest_pending_seconds')).toBe(0)
  expect(idle('genesys_etl_webhook_messages_given_up')).toBe(0)
  const message = (messageId: string) => ({ messageId, conversationId: 'c', event: 'ended', payload: {} })
  await insertMessages(other.db, ['m1', 'm2', 'm3'].map(message))
  await sql`update etl.webhook_outbox set created_at = now() - interval '10 minutes' where message_id = 'm2'`.execute(
    other.db,
  )
  await sql`update etl.webhook_outbox set given_up_at = now() where message_id = 'm1'`.execute(other.db)
  const value = await scrape(other)
  expect(value('genesys_etl_webhook_messages_pending')).toBe(2)
  expect(value('genesys_etl_webhook_oldest_pending_seconds')).toBeGreaterThanOrEqual(600)
  expect(value('genesys_etl_webhook_messages_given_up')).toBe(1)
})

test('shows erasures that are not complete, also those of which only tombstones are there', async () => {
  await using fresh = await createTestDatabase()
  await using other = connect(fresh.url)
  expect((await scrape(other))('genesys_etl_erasures_unfinished')).toBe(0)
  expect((await scrape(other))('genesys_etl_erasures_oldest_unfinished_seconds')).toBe(0)
  await sql`
    insert into etl.erasures (key_kind, keys, keep_statistics, started_at, finished_at)
    values ('address', 1, false, now() - interval '2 hours', now()), ('address', 1, false, now() - interval '1 hour', null)`.execute(
    other.db,
  )
  await sql`insert into etl.tombstones (conversation_id, erasure_id) values ('a', 2), ('b', 77)`.execute(other.db)
  const value = await scrape(other)
  expect(value('genesys_etl_erasures_unfinished')).toBe(2)
  expect(value('genesys_etl_erasures_oldest_unfinished_seconds')).toBeGreaterThanOrEqual(3600)
  expect(value('genesys_etl_erasures_oldest_unfinished_seconds')).toBeLessThan(7200)
})

test('the alerting rules of Prometheus use only metrics that exist and are not deprecated, and have a severity', async () => {
  const text = await (await createTestRoutes(warehouse, { metrics }).request('/metrics')).text()
  const rules = await readFile(new URL('../../deploy/prometheus/rules.yml', import.meta.url), 'utf8')
  const asked = new Set(rules.match(/genesys_etl_\w+/g))
  expect(asked.size).toBeGreaterThan(5)
  for (const name of asked) {
    expect(text, name).toContain(`# TYPE ${name} `)
    expect(text, name).not.toContain(`# HELP ${name} Deprecated`)
  }
  const severities = rules
    .split('- alert: ')
    .slice(1)
    .map((rule) => /severity: (\w+)/.exec(rule)?.[1])
  for (const severity of severities) expect(['critical', 'warning']).toContain(severity)
  expect(severities.length).toBe(rules.match(/expr:/g)?.length)
})

test('publishes no outdated values while the database is away', async () => {
  await scrape()
  await using gone = connect('postgres://nobody@127.0.0.1:1/none')
  const value = await scrape(gone)
  expect(value('genesys_etl_database_up')).toBe(0)
  expect(value('genesys_etl_live_snapshot_age_seconds')).toBeUndefined()
  expect(value('genesys_etl_watermark_lag_seconds')).toBeUndefined()
  expect(value('genesys_etl_requests_total')).toBeGreaterThan(0)
})

test('has no id as a label, and few series', async () => {
  const text = await (await createTestRoutes(warehouse, { metrics }).request('/metrics')).text()
  const samples = parse(text)
  const ours = samples.filter(({ name }) => name.startsWith('genesys_etl_'))
  const labels = new Set(ours.flatMap((sample) => Object.keys(sample.labels)))
  expect([...labels].filter((label) => /(^|_)(id|user|queue|conversation|run)/.test(label))).toEqual([])
  expect(ours.length).toBeLessThan(120)
  expect(text).not.toMatch(/queue-billing|live-\d|user-\d/)
})

test('counts conversations that ended with open after-call work', async () => {
  metrics.countEndedInAfterCallWork(0)
  expect((await scrape())('genesys_etl_live_ended_in_acw_total')).toBe(0)
  metrics.countEndedInAfterCallWork(2)
  metrics.countEndedInAfterCallWork(1)
  expect((await scrape())('genesys_etl_live_ended_in_acw_total')).toBe(3)
})

test('names the version, counts in base units, and types what only grows as a counter', async () => {
  await using fresh = await createTestDatabase()
  await using other = connect(fresh.url)
  // A history that starts ten days ago and of which nothing is loaded lacks ten days.
  const started = new Date(Math.floor(Date.now() / 86_400_000) * 86_400_000 - 10 * 86_400_000)
  await sql`insert into etl.runs (job, trigger, status, started_at, finished_at, plan, parameters)
    values ('sync', 'cron', 'failed', ${started}, ${started}, '{}', '{"filter": {}}')`.execute(other.db)
  const value = await scrape(other)
  expect(value('genesys_etl_build_info', { version: manifest.version, node_version: process.version })).toBe(1)
  const days = value('genesys_etl_history_owed_days') ?? 0
  expect(days).toBeGreaterThanOrEqual(10)
  expect(value('genesys_etl_history_missing_seconds')).toBe(days * 86_400)
  const text = await (await createTestRoutes(other, { metrics }).request('/metrics')).text()
  const types = [...text.matchAll(/^# TYPE (genesys_etl_\w+) (\w+)$/gm)].map(([, name = '', type]) => ({ name, type }))
  for (const { name, type } of types) expect([name, type === 'counter']).toEqual([name, name.endsWith('_total')])
})

/** What a sync reads beside its windows, until every conversation has settled. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { EtlError } from '../../src/errors.ts'
import type { GenesysClient } from '../../src/genesys/client.ts'
import { runHistory, type HistorySummary } from '../../src/history/sync.ts'
import { addDays, startOfDay } from '../../src/model/interval.ts'
import { readStatus } from '../../src/monitoring/read-status.ts'
import { settledParts } from '../../src/settled/parts.ts'
import { selectDueOpen, selectDueSettled, selectSeenByLive } from '../../src/settled/unsettled-store.ts'
import { stayClearOfMidnight } from '../support/midnight.ts'
import { startTestOrg, type RunOverrides, type TestOrg } from '../support/simulated-org.ts'

stayClearOfMidnight()

type Json = Record<string, unknown>
const HOUR_MS = 3_600_000
const signal = new AbortController().signal
const withoutJobs = settledParts(async () => false)
const withJobs = settledParts(async () => true)

/** An organization with hardly any conversation but those that the test begins, and its time. */
async function startQuietOrg(): Promise<TestOrg & { readonly now: Date }> {
  const now = new Date()
  return Object.assign(await startTestOrg({ now, days: 1, perDay: 3, malformedShare: 0 }), { now })
}

/** What has happened in the organization so many days ago. */
function daysAgo<Result>(
  { org, now }: { org: TestOrg['org']; now: Date },
  days: number,
  happens: () => Result,
): Result {
  org.control.clock.set(+addDays(now, -days))
  try {
    return happens()
  } finally {
    org.control.clock.set(+now)
  }
}

/** A conversation of an hour, so many days ago. */
function had(
  it: TestOrg & { readonly now: Date },
  days: number,
  kind: 'inboundCall' | 'email' = 'inboundCall',
): string {
  const id = daysAgo(it, days, () => it.org.control.changes.begin(kind))
  daysAgo(it, days - 1 / 24, () => it.org.control.changes.end(id))
  return id
}

/** A conversation that has been open for so many days. */
function hasOpen({ org, now }: TestOrg & { readonly now: Date }, days: number): string {
  const conversationId = crypto.randomUUID()
  const start = addDays(now, -days).toISOString()
  const segments = [{ segmentStart: start, segmentType: 'interact' }]
  const sessions = [{ sessionId: crypto.randomUUID(), mediaType: 'message', direction: 'inbound', segments }]
  const participants = [{ participantId: crypto.randomUUID(), purpose: 'customer', sessions }]
  org.control.changes.add({ conversationId, conversationStart: start, originatingDirection: 'inbound', participants })
  return conversationId
}

/** The record of a conversation as Genesys has it now, with other fields. */
function change({ org }: TestOrg, id: string, fields: Json): void {
  const record = org.truth().find((each) => each['conversationId'] === id)
  org.control.changes.replace(id, { ...record, ...fields })
}

/** Loads the days around these ages, as a backfill of long ago has. */
async function load(it: TestOrg & { readonly now: Date }, ...ages: readonly number[]): Promise<void> {
  for (const age of ages) {
    const start = addDays(startOfDay(it.now), -age)
    await it.backfill({ start, end: addDays(start, 1) })
  }
}

/** Moves the last reads of a conversation into the past. */
async function pass({ warehouse: { db } }: TestOrg, days: number): Promise<void> {
  await sql`update etl.conversations set fetched_at = fetched_at - make_interval(days => ${days}::int)`.execute(db)
  await sql`update etl.unsettled set reread_at = reread_at - make_interval(days => ${days}::int)`.execute(db)
}

async function sync(it: TestOrg, overrides: RunOverrides = {}): Promise<HistorySummary> {
  return await it.run({ job: 'sync' }, { syncParts: withJobs, settings: { lookbackDays: 1 }, ...overrides })
}

/** A sync whose client is watched, or fails. */
async function syncThrough(it: TestOrg, through: (client: GenesysClient) => GenesysClient): Promise<HistorySummary> {
  await using given = it.dependencies({ syncParts: withJobs, settings: { lookbackDays: 1 } })
  return await runHistory({ ...given, genesys: through(given.genesys) }, { job: 'sync' }, 'manual', signal)
}

/** The client; the ids of its requests by id are added to a list. */
function watching(client: GenesysClient, asked: string[]): GenesysClient {
  return {
    request(request) {
      const { id } = request.query ?? {}
      if (typeof id === 'string') asked.push(...id.split(','))
      return client.request(request)
    },
    close: () => client.close(),
  }
}

async function idsAsked(it: TestOrg): Promise<string[]> {
  const asked: string[] = []
  await syncThrough(it, (client) => watching(client, asked))
  return asked
}

async function unsettled({ warehouse: { db } }: TestOrg): Promise<Record<string, Date | null>> {
  const rows = await db.selectFrom('etl.unsettled').select(['conversation_id', 'ended_at']).execute()
  return Object.fromEntries(rows.map((row) => [row.conversation_id, row.ended_at]))
}

async function isEqual(it: TestOrg & { readonly now: Date }, age: number): Promise<void> {
  const start = addDays(startOfDay(it.now), -age)
  await it.expectEqual({ start, end: addDays(start, 1) })
}

test('an open conversation is read by its id every night until it has ended', async () => {
  await using it = await startQuietOrg()
  const id = hasOpen(it, 20)
  await load(it, 20)
  expect(await unsettled(it)).toMatchObject({ [id]: null })
  expect(await idsAsked(it)).toEqual([id])
  change(it, id, { conversationEnd: new Date(+it.now - HOUR_MS).toISOString() })
  const { counts } = await sync(it)
  expect(counts.parts).toMatchObject({
    openSet: { received: 1, changed: 1, requests: 1 },
    settleRereads: { received: 0 },
  })
  expect(await unsettled(it)).toMatchObject({ [id]: new Date(+it.now - HOUR_MS) })
  expect(await idsAsked(it)).toEqual([])
  await isEqual(it, 20)
})

test('after a month it is read every week, and after half a year it is reported as stuck', async () => {
  await using it = await startQuietOrg()
  const [weekly, stuck] = [hasOpen(it, 100), hasOpen(it, 200)]
  await load(it, 100, 200)
  expect(await idsAsked(it)).toEqual([])
  await pass(it, 7)
  expect(await idsAsked(it)).toEqual([weekly])
  expect(await idsAsked(it)).toEqual([])
  // a week of which every night was missed
  await pass(it, 9)
  expect(await idsAsked(it)).toEqual([weekly])
  const document = await readStatus(it.warehouse, { filter: {}, lookbackDays: 1, start: null }, { live: false })
  expect(document.settling).toMatchObject({ open: 2, stuck: 1, oldestStuck: [stuck] })
  expect(document.problems).toMatchObject([
    { severity: 'notice', title: 'Open for more than 180 days: 1 conversation' },
  ])
})

test('what Genesys no longer has is marked as missing, and not asked for again', async () => {
  await using it = await startQuietOrg()
  const [gone, open] = [hasOpen(it, 20), hasOpen(it, 20)]
  await load(it, 20)
  it.org.control.changes.remove(gone)
  const { counts } = await sync(it)
  expect(counts.parts?.['openSet']).toMatchObject({ received: 1, missing: 1, requests: 2 })
  const { rows } = await sql<{ id: string }>`
    select conversation_id as id from genesys.conversations where _missing_since is not null`.execute(it.warehouse.db)
  expect(rows).toEqual([{ id: gone }])
  expect(await idsAsked(it)).toEqual([open])
})

test('where Genesys knows none of very many, nothing is marked', async () => {
  await using it = await startQuietOrg()
  const ids = Array.from({ length: 60 }, () => hasOpen(it, 20))
  await load(it, 20)
  for (const id of ids) it.org.control.changes.remove(id)
  await expect(sync(it)).rejects.toMatchObject({ code: 'GENESYS_BAD_ANSWER', kind: 'retryable' })
  const { rows } = await sql`select from genesys.conversations where _missing_since is not null`.execute(
    it.warehouse.db,
  )
  expect(rows).toEqual([])
})

test('ids that the API does not accept cost no others, and are not taken for missing', async () => {
  await using it = await startQuietOrg()
  const ids = Array.from({ length: 6 }, () => hasOpen(it, 20))
  await load(it, 20)
  const asked: string[] = []
  await syncThrough(it, (client) => {
    const watched = watching(client, asked)
    return {
      ...watched,
      request: (request) =>
        // the simulator takes any text for an id
        watched.request(String(request.query?.['id']).includes(ids[3]!) ? { ...request, query: { id: '' } } : request),
    }
  })
  const { rows } = await sql<{ id: string }>`
    select conversation_id as id from etl.unsettled where reread_at is not null`.execute(it.warehouse.db)
  expect(rows.map(({ id }) => id).sort()).toEqual([...ids].sort())
  expect(new Set(asked.filter((id) => id !== ''))).toEqual(new Set(ids.filter((id) => id !== ids[3])))
})

test('what live saw open and the history lacks, or has as ended, is loaded', async () => {
  await using it = await startQuietOrg()
  const [known, unknown] = [had(it, 20, 'email'), hasOpen(it, 40)]
  await load(it, 20)
  it.org.control.changes.reopen(known)
  for (const [id, age] of [
    [known, 20],
    [unknown, 40],
  ] as const)
    await sql`
      insert into genesys.live_conversations (conversation_id, conversation_start, state, participants, snapshot_at)
      values (${id}, ${addDays(it.now, -age)}, 'waiting', 1, clock_timestamp())`.execute(it.warehouse.db)
  const ended = had(it, 30)
  await sql`insert into etl.rereads values (${ended}, null, now() - interval '2 hours')`.execute(it.warehouse.db)
  expect((await idsAsked(it)).sort()).toEqual([known, unknown, ended].sort())
  expect(await unsettled(it)).toMatchObject({ [known]: null, [unknown]: null })
  for (const age of [20, 30, 40]) await isEqual(it, age)
})

test('a thread that reopened after 20 days and ended again between two nights is found without jobs', async () => {
  await using it = await startQuietOrg()
  const id = had(it, 20, 'email')
  await load(it, 20)
  daysAgo(it, 0.02, () => it.org.control.changes.reopen(id))
  daysAgo(it, 0.01, () => it.org.control.changes.end(id))
  // where jobs are permitted, they bring what had activity
  const { counts } = await sync(it)
  expect(counts.parts).toMatchObject({ openSet: { received: 0 }, threads: { requests: 0 } })
  const without = await sync(it, { syncParts: withoutJobs })
  expect(without.counts.parts).toMatchObject({ threads: { changed: 1, requests: 1 } })
  await isEqual(it, 20)
  // the ledger of the history knows nothing of it
  expect(await it.windows()).toHaveLength(2)
  const calls = await sync(it, {
    syncParts: withoutJobs,
    settings: { lookbackDays: 1, filter: { mediaTypes: ['voice'] } },
  })
  expect(calls.counts.parts).toMatchObject({ threads: { requests: 0 } })
})

/** An ended conversation that was last read before it had settled. */
async function leaveUnsettled(it: TestOrg, ids: readonly string[]): Promise<void> {
  await sql`
    insert into etl.unsettled (conversation_id, conversation_start, ended_at)
    select conversation_id, conversation_start, conversation_end from genesys.conversations
    where conversation_id = any(${ids}::text[])`.execute(it.warehouse.db)
}

test('what ended is read once more when it has settled, unless a window has brought it', async () => {
  await using it = await startQuietOrg()
  const [settled, recent] = [had(it, 20), had(it, 3)]
  await load(it, 20, 3)
  await leaveUnsettled(it, [settled])
  expect(Object.keys(await unsettled(it))).toEqual(expect.arrayContaining([settled, recent]))
  change(it, settled, { externalTag: 'corrected' })
  const { counts } = await sync(it)
  expect(counts.parts?.['settleRereads']).toMatchObject({ received: 1, changed: 1, requests: 1 })
  expect(Object.keys(await unsettled(it))).not.toContain(settled)
  await isEqual(it, 20)
  expect(await idsAsked(it)).toEqual([])
})

test('a run that is killed while it reads again goes on where it was', async () => {
  await using it = await startQuietOrg()
  for (let conversations = 0; conversations < 1000; conversations++) hasOpen(it, 20)
  await load(it, 20)
  const first: string[] = []
  // of three batches of 250 at once, one has been loaded by then
  const killed = syncThrough(it, (client) => {
    const watched = watching(client, first)
    return {
      ...watched,
      request: (request) => (first.length >= 800 ? Promise.reject(new Error('killed')) : watched.request(request)),
    }
  })
  await expect(killed).rejects.toThrow('killed')
  const { rows } = await sql<{ id: string }>`
    select conversation_id as id from etl.unsettled where reread_at is not null`.execute(it.warehouse.db)
  const done = new Set(rows.map(({ id }) => id))
  expect(done.size).toBeGreaterThanOrEqual(250)
  expect(await idsAsked(it)).toHaveLength(1000 - done.size)
})

test('an evaluation of 25 days after the end is loaded the next night, a survey and a resolution likewise', async () => {
  await using it = await startQuietOrg()
  const [evaluated, surveyed, answered, resolved] = [had(it, 25), had(it, 12), had(it, 13), had(it, 9)]
  await load(it, 25, 13, 12, 9)
  const before = await sync(it)
  expect(before.counts.parts?.['eventRereads']).toMatchObject({ received: 0 })
  it.org.control.changes.addEvaluation(evaluated)
  const at = it.now.toISOString()
  change(it, surveyed, { surveys: [{ surveyId: 's', eventTime: at, surveyStatus: 'Sent' }] })
  const sent = addDays(it.now, -12).toISOString()
  change(it, answered, {
    surveys: [{ surveyId: 't', eventTime: sent, surveyCompletedDate: at, surveyStatus: 'Finished' }],
  })
  change(it, resolved, { resolutions: [{ eventTime: at, nNextContactAvoided: 1 }] })
  const { counts } = await sync(it)
  expect(counts.parts?.['eventRereads']).toMatchObject({ received: 4, changed: 4 })
  for (const age of [25, 13, 12, 9]) await isEqual(it, age)
})

test('events are looked for again where a run was killed before it had loaded them', async () => {
  await using it = await startQuietOrg()
  const id = had(it, 25)
  await load(it, 25)
  await sync(it)
  it.org.control.changes.addEvaluation(id)
  const killed = syncThrough(it, (client) => ({
    request: (request) =>
      JSON.stringify(request.body ?? {}).includes('evaluationFilters')
        ? Promise.reject(new EtlError('away', { code: 'GENESYS_UNREACHABLE', kind: 'retryable' }))
        : client.request(request),
    close: () => client.close(),
  }))
  await expect(killed).rejects.toMatchObject({ message: 'its part eventRereads failed: away', kind: 'retryable' })
  // two nights are missed
  await sql`
    update etl.meta set value = to_jsonb((value #>> '{}')::timestamptz - interval '2 days') where key like 'read_until_%'`.execute(
    it.warehouse.db,
  )
  expect((await sync(it)).counts.parts?.['eventRereads']).toMatchObject({ changed: 1 })
  await isEqual(it, 25)
})

test.each([
  ['that may not see evaluations', 'GENESYS_FORBIDDEN'],
  ['whose Genesys does not take the filter', 'GENESYS_BAD_REQUEST'],
])('a client %s loads everything else, and says so', async (_name, code) => {
  await using it = await startQuietOrg()
  const id = had(it, 12)
  await load(it, 12)
  change(it, id, { surveys: [{ surveyId: 's', eventTime: it.now.toISOString(), surveyStatus: 'Sent' }] })
  const { counts } = await syncThrough(it, (client) => ({
    request: (request) =>
      JSON.stringify(request.body ?? {}).includes('evaluationFilters')
        ? Promise.reject(new EtlError('refused', { code, kind: 'fatal' }))
        : client.request(request),
    close: () => client.close(),
  }))
  expect(counts.parts?.['eventRereads']).toMatchObject({ changed: 1, refused: ['evaluations'] })
  expect(it.log.join('')).toContain('evaluations are not looked for')
})

test('the failure of one part costs no other, and fails the run', async () => {
  await using it = await startQuietOrg()
  const [open, evaluated] = [hasOpen(it, 20), had(it, 25)]
  await load(it, 25, 20)
  it.org.control.changes.addEvaluation(evaluated)
  const failing = syncThrough(it, (client) => ({
    request: (request) =>
      request.query?.['id'] === open
        ? Promise.reject(new EtlError('away', { code: 'GENESYS_UNREACHABLE', kind: 'retryable' }))
        : client.request(request),
    close: () => client.close(),
  }))
  await expect(failing).rejects.toMatchObject({ message: 'its part openSet failed: away', code: 'GENESYS_UNREACHABLE' })
  await isEqual(it, 25)
})

test('a deep re-read finds a correction after 20 days; a sync does not', async () => {
  await using it = await startQuietOrg()
  const id = had(it, 20)
  await load(it, 40, 20)
  change(it, id, { externalTag: 'corrected' })
  await sync(it)
  const settings = { lookbackDays: 1 }
  const { windows, counts } = await it.run({ job: 'deep' }, { settings })
  // the day before was read by the sync, and the older one is beyond 30 days
  expect(windows).toMatchObject({ planned: 1, done: 1 })
  expect(counts).toMatchObject({ changed: 1 })
  expect(counts.parts).toBeUndefined()
  await isEqual(it, 20)
  const document = await readStatus(it.warehouse, { filter: {}, lookbackDays: 1, start: null }, { live: false })
  expect(document.settling.deepReadAt).toBeInstanceOf(Date)
  expect(document.jobs.map(({ job }) => job)).toContain('deep')
})

test('what is due is found by indexes, however long the history is', async () => {
  await using it = await startQuietOrg()
  const { db } = it.warehouse
  await sql`
    insert into etl.conversations (conversation_id, conversation_start, content_hash, fetched_at, confirmed_at)
    select 'c' || n, now() - n * interval '10 minutes', 'h', now(), now() from generate_series(1, 50000) n`.execute(db)
  await sql`
    insert into etl.unsettled (conversation_id, conversation_start, ended_at)
    select 'c' || n, now() - n * interval '10 minutes', case when n % 1000 > 0 then now() - n * interval '10 minutes' end
    from generate_series(1, 50000) n where n < 400 or n % 1000 = 0`.execute(db)
  await sql`analyze etl.conversations, etl.unsettled`.execute(db)
  const due = { now: it.now, cycleStart: it.now, limit: 1000 }
  const seenByLive: typeof selectDueOpen = (trx, at) => selectSeenByLive(trx, at, [])
  const scans = await db.transaction().execute(async (trx) => {
    for (const select of [selectDueOpen, seenByLive, selectDueSettled]) await select(trx, due)
    const { rows } = await sql<{ name: string; scans: number }>`
      select relname as name, seq_scan::int as scans from pg_stat_xact_user_tables
      where schemaname = 'etl' and relname = 'conversations'`.execute(trx)
    return rows
  })
  expect(scans).toEqual([{ name: 'conversations', scans: 0 }])
})

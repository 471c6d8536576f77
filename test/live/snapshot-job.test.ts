import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { readStatus } from '../../src/monitoring/read-status.ts'
import { connect } from '../../src/postgres/connect.ts'
import { ensureLivePartitions } from '../../src/live/snapshot-partitions.ts'
import { withJobLock } from '../../src/postgres/lock.ts'
import { json } from '../support/fake-server.ts'
import { expectConsistentReads } from '../support/consistent-reads.ts'
import { eventRules, startLiveOrg, type LiveOrg } from '../support/live-org.ts'
import { patience } from '../support/patience.ts'

const never = new AbortController().signal
const hour = 3_600_000

const snapshots = async ({ warehouse }: LiveOrg) =>
  await warehouse.db.selectFrom('genesys.live_snapshots').selectAll().orderBy('snapshot_at').execute()
const history = async ({ warehouse }: LiveOrg): Promise<string[]> => {
  const rows = await warehouse.db
    .selectFrom('genesys.conversations')
    .select('conversation_id')
    .orderBy('conversation_id')
    .execute()
  return rows.map((row) => row.conversation_id ?? '')
}

/** What has been written to a table and its partitions, in tuples, as Postgres counts. */
async function tuplesWritten(org: LiveOrg, table: string): Promise<number> {
  const { rows } = await sql<{ written: number }>`
    select n_tup_ins + n_tup_upd + n_tup_del as written from pg_stat_user_tables
    where schemaname = 'genesys' and relname = ${table}`.execute(org.warehouse.db)
  return rows[0]?.written ?? 0
}

/** Makes the backends' counts visible. */
async function settleStatistics(org: LiveOrg): Promise<void> {
  const { rows } = await sql<{ version: number }>`select current_setting('server_version_num')::int as version`.execute(
    org.warehouse.db,
  )
  if ((rows[0]?.version ?? 0) >= 150_000) await sql`select pg_stat_force_next_flush()`.execute(org.warehouse.db)
  await sql`select 1`.execute(org.warehouse.db)
}

test('a snapshot shows what is open, counts its queues, and records its cost', async () => {
  await using org = await startLiveOrg()
  org.begin('menu', { state: 'ivr' })
  org.begin('queued', { start: Date.now() - 60_000 })
  org.begin('talking', { state: 'interacting' })
  org.begin('held', { state: 'hold', queueId: 'q2' })
  const summary = await org.job().tick(never)
  expect(await org.table()).toEqual({ menu: 'ivr', queued: 'waiting', talking: 'interacting', held: 'hold' })
  expect(summary).toMatchObject({ writes: { inserted: 4, updated: 0, deleted: 0 }, ended: 0, throttled: false })
  expect(await snapshots(org)).toMatchObject([
    {
      source: 'analytics',
      conversations: 4,
      ended: 0,
      waiting: 1,
      interacting: 1,
      hold: 1,
      complete: true,
      stretched: false,
      error: null,
      requests: summary?.requests,
    },
  ])
  const queues = await org.warehouse.db.selectFrom('genesys.live_queues').selectAll().orderBy('queue_id').execute()
  expect(queues).toMatchObject([
    { queue_id: 'q1', media_type: 'voice', waiting: 1, interacting: 1, hold: 0, on_queue_users: 5, off_queue_users: 7 },
    { queue_id: 'q2', media_type: 'voice', waiting: 0, interacting: 0, hold: 1, on_queue_users: null },
  ])
  expect(queues[0]?.longest_wait_seconds).toBeGreaterThanOrEqual(59)
  const recorded = await org.warehouse.db.selectFrom('etl.runs').select('id').execute()
  expect(recorded).toEqual([])
})

test('an unchanged snapshot neither writes nor locks a row of live_conversations', async () => {
  await using org = await startLiveOrg()
  for (let i = 0; i < 150; i++) org.begin(`c${i}`, { state: i % 2 === 0 ? 'waiting' : 'interacting' })
  const job = org.job()
  await job.tick(never)
  await settleStatistics(org)
  await expect.poll(() => tuplesWritten(org, 'live_conversations'), patience).toBe(150)
  const locks = async () =>
    (
      await sql<{
        locks: string
      }>`select string_agg(distinct xmax::text, ',') as locks from genesys.live_conversations`.execute(org.warehouse.db)
    ).rows
  const before = await locks()
  for (let tick = 0; tick < 3; tick++) {
    expect(await job.tick(never)).toMatchObject({ writes: { inserted: 0, updated: 0, deleted: 0 } })
  }
  expect(await locks()).toEqual(before)
  org.change('c0', 'hold')
  expect(await job.tick(never)).toMatchObject({ writes: { inserted: 0, updated: 1, deleted: 0 } })
  await settleStatistics(org)
  await expect.poll(() => tuplesWritten(org, 'live_conversations'), patience).toBe(151)
  expect(await snapshots(org)).toHaveLength(5)
})

test('new messages are counted: a threshold that stays exceeded makes one message, and uses one id', async () => {
  await using org = await startLiveOrg()
  org.begin('a', { start: Date.now() - 300_000 })
  const job = org.job({ events: eventRules('waiting>120s', 'interacting') })
  const messages: unknown[] = []
  for (let tick = 0; tick < 4; tick++) messages.push((await job.tick(never))?.messages)
  // The first snapshot ever has none before it to compare with.
  expect(messages).toEqual([0, 1, 0, 0])
  org.change('a', 'interacting')
  expect(await job.tick(never)).toMatchObject({ messages: 1 })
  const rows = await org.warehouse.db.selectFrom('etl.webhook_outbox').select(['id', 'event']).orderBy('id').execute()
  expect(rows).toEqual([
    { id: 1, event: 'waiting>120s' },
    { id: 2, event: 'interacting' },
  ])
  const lines = org.log.map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(lines.filter(({ msg }) => msg === 'snapshot taken').map((line) => line['messages'])).toEqual([0, 1, 0, 0, 1])
})

test('a conversation that has ended leaves, and is in the history in the same tick', async () => {
  await using org = await startLiveOrg()
  org.begin('a')
  org.begin('b', { state: 'interacting' })
  const job = org.job()
  await job.tick(never)
  org.end('b')
  const summary = await job.tick(never)
  expect(await org.table()).toEqual({ a: 'waiting' })
  expect(await history(org)).toEqual(['b'])
  expect(summary).toMatchObject({ ended: 1, loaded: { inserted: 1 } })
})

test('after-call work stays until it is done; the history gets the call when it ends, and again when that is done', async () => {
  await using org = await startLiveOrg()
  const call = org.begin('b', { state: 'interacting' })
  const job = org.job()
  await job.tick(never)
  org.end('b')
  const ended = call.record
  const wrapup = { conference: false, segmentType: 'wrapup', segmentStart: new Date().toISOString(), queueId: 'q1' }
  const withWrapUp = (segment: object) => ({
    ...ended,
    participants: [
      ...(ended['participants'] as object[]),
      {
        participantId: 'w',
        purpose: 'agent',
        userId: 'u1',
        sessions: [{ sessionId: 'w', mediaType: 'voice', segments: [segment] }],
      },
    ],
  })
  call.record = withWrapUp(wrapup)
  call.phase = 'acw'
  expect(await job.tick(never)).toMatchObject({ loaded: { inserted: 1 }, ended: 0 })
  expect(await org.table()).toEqual({ b: 'acw' })
  expect(await job.tick(never)).toMatchObject({ loaded: { received: 0 } })
  call.record = withWrapUp({ ...wrapup, segmentEnd: new Date().toISOString(), wrapUpCode: 'done' })
  call.phase = 'ended'
  expect(await job.tick(never)).toMatchObject({ loaded: { changed: 1 }, ended: 1 })
  expect(await org.table()).toEqual({})
})

test('a narrowed history gets nothing else from the live side', async () => {
  await using org = await startLiveOrg()
  org.begin('b')
  const job = org.job({ historyFilter: { mediaTypes: ['email'] } })
  await job.tick(never)
  org.end('b')
  expect(await job.tick(never)).toMatchObject({ ended: 1, loaded: { received: 0 } })
  expect(await history(org)).toEqual([])
})

test('a failed request leaves the table unchanged, and is recorded', async () => {
  await using org = await startLiveOrg()
  for (let i = 0; i < 150; i++) org.begin(`c${i}`)
  const job = org.job()
  await job.tick(never)
  for (const [what, status] of [
    ['details 1', 500],
    ['details 2', 502],
    ['acw 1', 403],
    ['older 1', 503],
    ['details 2', 400],
  ] as const) {
    org.aheadMs += 15 * 60_000
    org.interfere = (request, asked) => asked === what && (json(request, { message: 'no' }, status), true)
    await expect(job.tick(never)).rejects.toMatchObject({ status })
  }
  org.interfere = (request, asked) => asked === 'details 1' && (json(request, { totalHits: 150 }), true)
  await expect(job.tick(never)).rejects.toMatchObject({ code: 'GENESYS_BAD_ANSWER' })
  expect(Object.keys(await org.table())).toHaveLength(150)
  const recorded = await snapshots(org)
  expect(recorded.map(({ complete }) => complete)).toEqual([true, false, false, false, false, false, false])
  expect(recorded[1]).toMatchObject({ conversations: null, error: expect.stringContaining('500') as string })
  org.interfere = null
  expect(await job.tick(never)).toMatchObject({ writes: { inserted: 0, updated: 0, deleted: 0 } })
})

test('a failed snapshot is recorded with its hint, which the status shows', async () => {
  await using org = await startLiveOrg()
  org.interfere = (request, what) =>
    what === '/api/v2/conversations' && (json(request, { message: 'This request requires a user context.' }, 400), true)
  await expect(org.job({ source: 'conversations' }).tick(never)).rejects.toMatchObject({ code: 'LIVE_NEEDS_USER' })
  const [recorded] = await snapshots(org)
  expect(recorded?.error).toMatch(
    /token is that of an OAuth client\. Set LIVE_SOURCE=analytics .* GENESYS_ACCESS_TOKEN/,
  )
  const document = await readStatus(org.warehouse, { filter: {}, lookbackDays: 1, start: null })
  expect(document.problems.find(({ title }) => title === 'There is no live data yet')?.detail).toBe(recorded?.error)
})

test('an answer that is empty by mistake empties nothing: missing conversations are read by id', async () => {
  await using org = await startLiveOrg()
  for (let i = 0; i < 120; i++) org.begin(`c${i}`)
  const job = org.job()
  await job.tick(never)
  org.interfere = (request, what) => what === 'details 1' && (json(request, { totalHits: 0 }), true)
  expect(await job.tick(never)).toMatchObject({ writes: { inserted: 0, updated: 0, deleted: 0 } })
  expect(Object.keys(await org.table())).toHaveLength(120)
  expect(org.requests.filter((what) => what.startsWith('by-id'))).toEqual(['by-id 50', 'by-id 50', 'by-id 20'])
  // A role that has lost its divisions sees nothing, by id neither.
  for (const each of org.held.values()) each.phase = 'hidden'
  org.interfere = null
  await expect(job.tick(never)).rejects.toMatchObject({ code: 'LIVE_IMPLAUSIBLE' })
  expect(Object.keys(await org.table())).toHaveLength(120)
})

test('many that Genesys no longer knows leave at once if most of the open ones are still known', async () => {
  await using org = await startLiveOrg()
  for (let i = 0; i < 100; i++) org.begin(`c${i}`)
  const job = org.job()
  await job.tick(never)
  for (let i = 0; i < 30; i++) org.begin(`c${i}`).phase = 'hidden'
  expect(await job.tick(never)).toMatchObject({ writes: { inserted: 0, updated: 0, deleted: 30 } })
  expect(Object.keys(await org.table())).toHaveLength(70)
})

test('most of them unknown at once is implausible at first, and accepted after five minutes, with a warning', async () => {
  await using org = await startLiveOrg()
  for (let i = 0; i < 100; i++) org.begin(`c${i}`)
  const job = org.job()
  await job.tick(never)
  for (let i = 0; i < 80; i++) org.begin(`c${i}`).phase = 'hidden'
  for (let minute = 0; minute < 5; minute++) {
    await expect(job.tick(never)).rejects.toMatchObject({ code: 'LIVE_IMPLAUSIBLE' })
    org.aheadMs += 60_000
  }
  expect(Object.keys(await org.table())).toHaveLength(100)
  expect(await job.tick(never)).toMatchObject({ writes: { deleted: 80 } })
  expect(
    org.log.filter((line) => line.includes('accepted as real')).map((line) => JSON.parse(line) as object),
  ).toMatchObject([{ level: expect.anything() as unknown, unknown: 80, open: 100 }])
  expect(await job.tick(never)).toMatchObject({ writes: { deleted: 0 } })
})

test('the five minutes start again after a plausible snapshot', async () => {
  await using org = await startLiveOrg()
  for (let i = 0; i < 30; i++) org.begin(`c${i}`)
  const job = org.job()
  await job.tick(never)
  const show = (phase: 'open' | 'hidden'): void => org.held.forEach((each) => void (each.phase = phase))
  show('hidden')
  await expect(job.tick(never)).rejects.toMatchObject({ code: 'LIVE_IMPLAUSIBLE' })
  show('open')
  await job.tick(never)
  org.aheadMs += 10 * 60_000
  show('hidden')
  await expect(job.tick(never)).rejects.toMatchObject({ code: 'LIVE_IMPLAUSIBLE' })
  expect(Object.keys(await org.table())).toHaveLength(30)
})

test('a conversation that Genesys no longer knows leaves', async () => {
  await using org = await startLiveOrg()
  org.begin('a')
  const erased = org.begin('b')
  const job = org.job()
  await job.tick(never)
  erased.phase = 'hidden'
  expect(await job.tick(never)).toMatchObject({ ended: 0, writes: { deleted: 1 } })
  expect(await org.table()).toEqual({ a: 'waiting' })
})

test('records without a usable key, or without sense, break no snapshot', async () => {
  await using org = await startLiveOrg()
  org.begin('good')
  org.begin('no-id').record = { conversationStart: new Date().toISOString(), participants: [] }
  org.begin('no-start').record = { conversationId: 'no-start', conversationStart: 'soon' }
  org.begin('odd').record = {
    conversationId: 'odd\0',
    conversationStart: new Date().toISOString(),
    participants: [null, 3, { sessions: 'x' }],
    divisionIds: ['d\ud800'],
  }
  org.begin('no-object').record = 7 as never
  const job = org.job()
  await job.tick(never)
  expect(await org.table()).toEqual({ good: 'waiting', 'odd\uFFFD': 'other' })
})

test('ids that are too long for an index break no snapshot, wherever they come from', async () => {
  await using org = await startLiveOrg()
  // Random, because Postgres compresses repetitions before it measures an index entry.
  const long = (name: string): string => name + randomBytes(5_000).toString('hex')
  org.begin('good', { start: Date.now() - 60_000 })
  org.begin('queue', { start: Date.now() - 60_000, queueId: long('q') })
  const key = org.begin('key', { state: 'ivr' })
  key.record = { ...key.record, conversationId: long('c') }
  org.begin('fields').record = {
    conversationId: 'fields',
    conversationStart: new Date().toISOString(),
    divisionIds: [long('d'), 'd1'],
    originatingDirection: long('x'),
    participants: [
      {
        participantId: 'a',
        purpose: 'agent',
        userId: long('u'),
        sessions: [
          {
            mediaType: long('m'),
            messageType: long('t'),
            segments: [{ segmentType: 'interact', segmentStart: new Date().toISOString(), queueId: 'q1' }],
          },
        ],
      },
    ],
  }
  org.interfere = (request, what) => {
    if (what === '/api/v2/routing/queues')
      return (json(request, { entities: [{ id: 'q1' }, { id: long('r') }], pageCount: 1 }), true)
    if (!what.endsWith('/observations/query')) return false
    const data = [{ metric: 'oOnQueueUsers', qualifier: 'IDLE', stats: { count: 2 } }]
    return (
      json(request, {
        results: [
          { group: { queueId: long('o') }, data },
          { group: { queueId: 'q1' }, data },
        ],
      }),
      true
    )
  }
  const job = org.job({ events: eventRules('waiting', 'hold', 'ended') })
  expect((await job.tick(never))?.conversations).toHaveLength(3)
  expect(await org.table()).toEqual({ good: 'waiting', queue: 'waiting', fields: 'interacting' })
  const rows = await org.warehouse.db.selectFrom('genesys.live_conversations').selectAll().execute()
  expect(rows.find((row) => row.conversation_id === 'queue')?.queue_id).toBeNull()
  expect(rows.find((row) => row.conversation_id === 'fields')).toMatchObject({
    queue_id: 'q1',
    user_id: null,
    media_type: null,
    direction: null,
    division_ids: ['d1'],
  })
  const queues = await org.warehouse.db.selectFrom('genesys.live_queues').selectAll().execute()
  expect(queues.map((row) => row.queue_id)).toEqual(['q1', 'q1'])
  org.change('queue', 'hold')
  org.end('good')
  expect(await job.tick(never)).toMatchObject({ ended: 1, messages: 2 })
})

test('an id in the activity that is too long for a URL is not requested', async () => {
  await using org = await startLiveOrg()
  org.begin('good')
  const entity = { activityDate: new Date().toISOString(), metric: 'oWaiting', conversationId: 'x'.repeat(20_000) }
  org.interfere = (request, what) =>
    what.startsWith('activity') &&
    (json(request, { results: [{ group: { queueId: 'q1' }, entities: [entity] }] }), true)
  expect(await org.job().tick(never)).not.toBeNull()
  expect(org.requests.filter((what) => what.startsWith('by-id'))).toEqual([])
})

test('a conversation that comes on two pages is one row', async () => {
  await using org = await startLiveOrg()
  const twice = org.begin('a')
  org.held.set('again', twice)
  const summary = await org.job().tick(never)
  expect(summary?.conversations).toHaveLength(1)
  expect(await org.table()).toEqual({ a: 'waiting' })
})

test('of two readings of one conversation in a snapshot the later one counts', async () => {
  await using org = await startLiveOrg()
  for (let i = 0; i < 101; i++) org.begin(`c${i}`)
  // c0 is on page 1, which is read before page 2 and once more after it.
  org.interfere = (_request, what) => {
    if (what === 'details 2') org.change('c0', 'interacting')
  }
  await org.job().tick(never)
  expect(await org.table()).toMatchObject({ c0: 'interacting', c1: 'waiting', c100: 'waiting' })
})

test('a conversation that moves onto page 1 after that was read is in the snapshot, although it is new', async () => {
  await using org = await startLiveOrg()
  // In the menu: nothing but the pages can show them.
  for (let i = 0; i < 102; i++) org.begin(`c${i}`, { state: 'ivr' })
  let isGone = false
  org.interfere = (_request, what) => {
    if (what !== 'details 2' || isGone) return
    isGone = true
    org.end('c0')
  }
  await org.job().tick(never)
  expect(isGone).toBe(true)
  // c100 was the first of page 2, and is the last of page 1 now.
  expect(Object.keys(await org.table())).toEqual(expect.arrayContaining(['c99', 'c100', 'c101']))
})

test('without the permission for observations the users of queues are unknown, and are not requested at each tick', async () => {
  await using org = await startLiveOrg()
  org.begin('a')
  org.interfere = (request, what) =>
    what.endsWith('/observations/query') && (json(request, { message: 'missing permission' }, 403), true)
  const job = org.job()
  for (let tick = 0; tick < 3; tick++) expect(await job.tick(never)).not.toBeNull()
  const queues = await org.warehouse.db.selectFrom('genesys.live_queues').selectAll().execute()
  expect(queues.map((row) => row.on_queue_users)).toEqual([null, null, null])
  expect(org.requests.filter((what) => what.endsWith('/observations/query'))).toHaveLength(1)
})

test('a database of another organization is refused', async () => {
  await using org = await startLiveOrg()
  await sql`insert into etl.meta (key, value) values ('organization', '{"id": "org-2", "name": "Other"}')`.execute(
    org.warehouse.db,
  )
  org.begin('a')
  await expect(org.job().tick(never)).rejects.toMatchObject({ code: 'FOREIGN_ORGANIZATION' })
  expect(await org.table()).toEqual({})
})

test('only one process takes a snapshot at a time', async () => {
  await using org = await startLiveOrg()
  await using other = connect(org.databaseUrl)
  await withJobLock(other, 'live', never, async () => {
    await expect(org.job().tick(never)).rejects.toMatchObject({ code: 'JOB_ALREADY_RUNNING' })
  })
  expect(await org.job().tick(never)).not.toBeNull()
  expect(await snapshots(org)).toHaveLength(1)
})

test('a snapshot beyond the share of live is completed; ticks are skipped until it is paid off, and the next one records that', async () => {
  await using org = await startLiveOrg()
  for (let i = 0; i < 450; i++) org.begin(`c${i}`)
  // A share of 4 a minute.
  const job = org.job({ requestsPerMinute: 10 })
  const first = await job.tick(never)
  expect(first).toMatchObject({ throttled: false })
  // After it the figures of the day are asked for.
  const cost = (first?.requests ?? 0) + 1
  expect(org.requests.at(-1)).toBe('aggregates')
  expect(cost).toBeGreaterThan(9)
  org.aheadMs += ((cost - 4) / 4) * 60_000 - 5_000
  expect(await job.tick(never)).toBeNull()
  org.aheadMs += 5_000
  expect(await job.tick(never)).toMatchObject({ throttled: true })
  org.aheadMs += hour
  expect(await job.tick(never)).toMatchObject({ throttled: false })
  expect(org.log.filter((line) => line.includes('snapshot skipped'))).toHaveLength(1)
  expect((await snapshots(org)).map((row) => row.stretched)).toEqual([false, true, false])
})

test('interrupted, it writes and records nothing', async () => {
  await using org = await startLiveOrg()
  org.begin('a')
  const stop = new AbortController()
  org.interfere = (_request, what) => {
    if (what === 'details 1') stop.abort(new Error('stopped'))
  }
  await expect(org.job().tick(stop.signal)).rejects.toThrow('stopped')
  expect(await snapshots(org)).toEqual([])
})

test('nothing is written after the stop signal, not even if it comes while ended conversations are being loaded', async () => {
  await using org = await startLiveOrg()
  org.begin('a')
  org.begin('b')
  await org.job().tick(never)
  org.end('a')
  org.change('b', 'interacting')
  const stop = new AbortController()
  const onLoaded = (): void => stop.abort(new Error('stopped'))
  await expect(org.job({}, { onLoaded }).tick(stop.signal)).rejects.toThrow('stopped')
  expect(await history(org)).toEqual(['a'])
  expect(await org.table()).toEqual({ a: 'waiting', b: 'waiting' })
  expect(await snapshots(org)).toHaveLength(1)
  expect(await org.warehouse.db.selectFrom('etl.rereads').selectAll().execute()).toEqual([])
})

test('a dropped partition is created again; partitions older than the retention are dropped', async () => {
  await using org = await startLiveOrg()
  org.begin('a')
  const job = org.job()
  await job.tick(never)
  const day = new Date().toISOString().slice(0, 10).replaceAll('-', '_')
  await sql`drop table ${sql.table(`genesys.live_snapshots_${day}`)}, ${sql.table(`genesys.live_queues_${day}`)}`.execute(
    org.warehouse.db,
  )
  await job.tick(never)
  expect(await snapshots(org)).toHaveLength(1)
  for (const table of ['live_snapshots', 'live_queues']) {
    await sql
      .raw(
        `create table genesys.${table}_2026_01_01 partition of genesys.${table} for values from ('2026-01-01Z') to ('2026-01-02Z')`,
      )
      .execute(org.warehouse.db)
  }
  await org.job().tick(never)
  const { rows } = await sql<{ name: string }>`
    select relname as name from pg_class where relname ~ '^live_(snapshots|queues)_\\d+_\\d+_\\d+$' order by 1`.execute(
    org.warehouse.db,
  )
  expect(rows.filter(({ name }) => name.endsWith('2026_01_01'))).toEqual([])
  expect(rows).toHaveLength(4)
})

// many more of both: test/sim/live-reads.test.ts
test('reads during forty snapshots each see one whole snapshot', () => expectConsistentReads(40, 200), 120_000)

test('a snapshot from the future, by a clock that was ahead, is stale until the next one replaces it', async () => {
  await using org = await startLiveOrg()
  org.begin('a')
  const job = org.job()
  await job.tick(never)
  const { db } = org.warehouse
  const ahead = new Date(Date.now() + 2 * hour)
  await ensureLivePartitions(org.warehouse, ahead)
  for (const table of ['live_snapshots', 'live_queues', 'live_conversations'])
    await sql`update ${sql.table(`genesys.${table}`)} set snapshot_at = ${ahead}`.execute(db)
  const status = async () => await readStatus(org.warehouse, { filter: {}, lookbackDays: 1, start: null })
  expect(await status()).toMatchObject({ state: 'failing', live: { isStale: true, ageSeconds: null } })
  org.begin('b')
  await job.tick(never)
  expect((await status()).live).toMatchObject({ isStale: false, conversations: 2 })
  expect(await snapshots(org)).toHaveLength(1)
  const { rows } = await sql`select count(*) from genesys.live_conversations where snapshot_at > now()`.execute(db)
  expect(rows).toEqual([{ count: 0 }])
})

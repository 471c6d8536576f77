/** Fills a database with the data of a busy contact centre: history, runs, live tables. */
import { sql } from 'kysely'
import type { Warehouse } from '../../src/postgres/connect.ts'
import { selectLocalDay, writeToday } from '../../src/live/today-store.ts'
import { ensureLivePartitions } from '../../src/live/snapshot-partitions.ts'
import { ensurePartitions } from '../../src/loader/partitions.ts'

export const QUEUES = [
  ['queue-billing', 'Billing'],
  ['queue-support', 'Technical support'],
  ['queue-sales', 'Sales'],
  ['queue-returns', 'Returns and refunds'],
  ['queue-vip', 'Priority customers'],
  ['queue-chat', 'Web chat'],
  ['queue-mail', 'E-mail'],
  ['queue-es', 'Atención al cliente'],
] as const

const PEOPLE = [
  'Ada Lind',
  'Bo Ek',
  'Chidi Okafor',
  'Dina Haddad',
  'Emil Sørensen',
  'Fay Moreau',
  'Goran Petrović',
  'Hana Kimura',
  'Ines Duarte',
  'Jón Jónsson',
  'Kaja Nowak',
  'Lars Holm',
]

const minutesAgo = (now: Date, minutes: number): Date => new Date(+now - minutes * 60_000)

export interface LiveRow {
  readonly id: string
  readonly state: string
  readonly queueId: string | null
  readonly userId?: string | null
  readonly mediaType?: string
  readonly since: Date
}

/** Writes a snapshot as the live job does: the conversations replaced, one row for the snapshot, one row per queue. */
export async function writeSnapshot(
  warehouse: Warehouse,
  at: Date,
  rows: readonly LiveRow[],
  options: { readonly users?: readonly [on: number, off: number] } = {},
): Promise<void> {
  await ensureLivePartitions(warehouse, at)
  await warehouse.db.transaction().execute(async (trx) => {
    await sql`delete from genesys.live_conversations`.execute(trx)
    for (const row of rows) {
      await sql`insert into genesys.live_conversations (conversation_id, conversation_start, media_type, direction, state,
          state_since, queue_id, user_id, user_ids, waiting_since, participants, snapshot_at)
        values (${row.id}, ${row.since}, ${row.mediaType ?? 'voice'}, 'inbound', ${row.state}, ${row.since}, ${row.queueId},
          ${row.userId ?? null}, ${row.userId ? [row.userId] : null}, ${row.state === 'waiting' ? row.since : null}, 2, ${at})`.execute(
        trx,
      )
    }
    await sql`insert into genesys.live_snapshots (snapshot_at, source, conversations, duration_ms, requests, complete,
        waiting, interacting, hold)
      select ${at}::timestamptz, 'analytics', count(*), 1340, 4, true, count(*) filter (where state = 'waiting'),
        count(*) filter (where state = 'interacting'), count(*) filter (where state = 'hold')
      from genesys.live_conversations`.execute(trx)
    const [on, off] = options.users ?? [null, null]
    await sql`insert into genesys.live_queues (snapshot_at, queue_id, media_type, waiting, alerting, interacting, hold, acw,
        longest_wait_seconds, on_queue_users, off_queue_users)
      select ${at}::timestamptz, queue_id, media_type, count(*) filter (where state = 'waiting'),
        count(*) filter (where state = 'alerting'), count(*) filter (where state = 'interacting'),
        count(*) filter (where state = 'hold'), count(*) filter (where state = 'acw'),
        extract(epoch from ${at}::timestamptz - min(waiting_since)), ${on}::int, ${off}::int
      from genesys.live_conversations where queue_id is not null group by queue_id, media_type`.execute(trx)
  })
}

/** Writes a snapshot that failed. */
export async function writeFailedSnapshot(warehouse: Warehouse, at: Date, error: string): Promise<void> {
  await ensureLivePartitions(warehouse, at)
  await sql`insert into genesys.live_snapshots (snapshot_at, source, duration_ms, requests, complete, error)
    values (${at}, 'analytics', 60000, 3, false, ${error})`.execute(warehouse.db)
}

/** Writes names where reference data has them. */
export async function writeNames(
  warehouse: Warehouse,
  names: {
    readonly queues?: readonly (readonly [string, string])[]
    readonly users?: readonly (readonly [string, string])[]
  },
): Promise<void> {
  for (const list of ['queues', 'users'] as const) {
    for (const [id, name] of names[list] ?? []) {
      await sql`insert into genesys.${sql.raw(`dim_${list}`)} (id, name) values (${id}, ${name})
        on conflict (id) do update set name = excluded.name`.execute(warehouse.db)
    }
  }
}

/** The open conversations of a busy moment; the same for the same instant. */
export function busyRows(now: Date): LiveRow[] {
  const rows: LiveRow[] = []
  let number = 0
  const add = (state: string, queueId: string | null, minutes: number, person?: number, mediaType = 'voice'): void => {
    number += 1
    const userId = person === undefined ? null : `user-${person}`
    rows.push({ id: `live-${number}`, state, queueId, userId, mediaType, since: minutesAgo(now, minutes) })
  }
  for (const [index, minutes] of [3.4, 2.2, 1.6, 0.8, 0.3].entries())
    add('waiting', index === 4 ? 'queue-vip' : 'queue-billing', minutes)
  for (const minutes of [1.4, 0.9, 0.2]) add('waiting', 'queue-support', minutes)
  add('waiting', 'queue-chat', 0.6, undefined, 'message')
  add('waiting', 'queue-mail', 1.9, undefined, 'email')
  for (let person = 0; person < 9; person++)
    add('interacting', QUEUES[person % 7]![0], 1 + person * 2.7, person, person % 7 === 5 ? 'message' : 'voice')
  add('hold', 'queue-sales', 4.2, 9)
  add('acw', 'queue-support', 1.1, 10)
  add('alerting', 'queue-billing', 0.1, 11)
  for (let index = 0; index < 4; index++) add('ivr', null, 0.4 + index / 5)
  add('scheduled', 'queue-returns', 25, undefined, 'callback')
  return rows
}

/** Writes a year of coverage up to yesterday, a few runs, four hours of snapshots, and names. */
export async function writeBusyCenter(warehouse: Warehouse, now: Date, days = 330): Promise<void> {
  const { db } = warehouse
  await writeNames(warehouse, {
    queues: QUEUES,
    users: PEOPLE.map((name, index) => [`user-${index}`, name]),
  })
  const midnight = new Date(Math.floor(+now / 86_400_000) * 86_400_000)
  const [sync] = (
    await sql<{ id: number }>`insert into etl.runs (job, trigger, status, started_at, finished_at, counts)
      values ('sync', 'cron', 'done', ${minutesAgo(now, 700)}, ${minutesAgo(now, 682)}, ${JSON.stringify({ received: 84_210, inserted: 12_040, changed: 911, unchanged: 71_259 })}::jsonb) returning id`.execute(
      db,
    )
  ).rows
  for (let age = 1; age <= days; age++) {
    const start = new Date(+midnight - age * 86_400_000)
    const weekend = start.getUTCDay() % 6 === 0
    const hits = Math.round((weekend ? 2600 : 11_500) * (1 + 0.3 * Math.sin(age / 9)))
    await sql`insert into etl.windows (stream, source, filter, start, "end", status, hits, read_at, run_id)
      values ('conversations', 'query', '{}', ${start}, ${new Date(+start + 86_400_000)}, 'done', ${hits}, ${minutesAgo(now, 690)}, ${sync?.id ?? null})`.execute(
      db,
    )
  }
  await writeMonths(warehouse, new Date(+midnight - days * 86_400_000), midnight)
  await sql`insert into etl.windows (stream, source, filter, start, "end", status, hits, read_at)
    values ('conversations', 'query', '{}', ${midnight}, ${minutesAgo(now, 12)}, 'provisional', 6100, ${minutesAgo(now, 10)})`.execute(
    db,
  )
  for (let hour = 1; hour <= 6; hour++) {
    await sql`insert into etl.runs (job, trigger, status, started_at, finished_at, counts)
      values ('intraday', 'cron', 'done', ${minutesAgo(now, 430 - hour * 60)}, ${minutesAgo(now, 428.7 - hour * 60)},
        ${JSON.stringify({ received: 900 * hour, inserted: 870, changed: 44 })}::jsonb)`.execute(db)
  }
  for (let minute = 239; minute >= 1; minute--) {
    const at = minutesAgo(now, minute)
    await ensureLivePartitions(warehouse, at)
    const tide = 1 + Math.sin((240 - minute) / 38) * 0.6 + Math.sin(minute * 0.31) * 0.12
    await sql`insert into genesys.live_snapshots (snapshot_at, source, conversations, duration_ms, requests, complete,
        waiting, interacting, hold)
      values (${at}, 'analytics', 30, 1200, 4, true, ${Math.max(0, Math.round(5 * tide - 2))}, ${Math.round(11 * tide)}, 1)`.execute(
      db,
    )
  }
  await writeSnapshot(warehouse, minutesAgo(now, 0.2), busyRows(now), { users: [7, 2] })
  await writeBusyDay(warehouse, now)
}

/** The figures of the day: those of each queue, and their sums. */
async function writeBusyDay(warehouse: Warehouse, now: Date): Promise<void> {
  const queues = QUEUES.map(([queueId], index) => ({
    queueId,
    offered: 410 - 45 * index,
    answered: 390 - 44 * index,
    answerMs: (390 - 44 * index) * (14_000 + 9_000 * index),
    abandoned: 12 - index,
    answeredInTime: 350 - 42 * index,
    serviceLevelContacts: 400 - 44 * index,
  }))
  const sum = (figure: Exclude<keyof (typeof queues)[number], 'queueId'>): number =>
    queues.reduce((total, queue) => total + queue[figure], 0)
  const total = {
    queueId: null,
    offered: sum('offered'),
    answered: sum('answered'),
    answerMs: sum('answerMs'),
    abandoned: sum('abandoned'),
    answeredInTime: sum('answeredInTime'),
    serviceLevelContacts: sum('serviceLevelContacts'),
  }
  const readAt = minutesAgo(now, 3)
  const { day, timeZone } = await selectLocalDay(warehouse.db, now)
  await writeToday(warehouse, { day, timeZone, source: 'genesys', readAt }, [total, ...queues])
}

/** Writes a conversation at the end of each month from `from` to `to`, which is all that the status reads. */
async function writeMonths(warehouse: Warehouse, from: Date, to: Date): Promise<void> {
  await ensurePartitions(warehouse, { start: from, end: to })
  const months = sql`select ${to}::timestamptz - make_interval(months => age) - interval '1 second' as start
    from generate_series(0, (${to}::date - ${from}::date) / 28 + 1) as age`
  const key = sql`select 'month-' || row_number() over (), start, 0`
  const inRange = sql`from (${months}) m where start >= ${from}`
  for (const [table, columns, values] of [
    ['conversations', ', _source', `, 'query'`],
    ['participants', '', ''],
    ['sessions', ', _participant_index', ', 0'],
    ['segments', ', _participant_index, _session_index', ', 0, 0'],
  ] as const) {
    await sql`insert into ${sql.table(`genesys.${table}`)} (conversation_id, conversation_start, _index${sql.raw(columns)})
      ${key}${sql.raw(values)} ${inRange}`.execute(warehouse.db)
  }
}

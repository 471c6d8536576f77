/** Adds the cells of conversations up to the rows of etl.queue_intervals, etl.agent_intervals, etl.queue_days and etl.agent_days. */
import { sql, type Kysely, type Transaction } from 'kysely'
import { measures, type Measure } from '../intervals/measures.ts'
import { type Logger } from '../log.ts'
import { type Warehouse } from '../postgres/connect.ts'
import { type Database } from '../postgres/database.ts'
import { classify, retryTransient } from '../postgres/errors.ts'
import { LockKey } from '../postgres/lock-keys.ts'

export interface RollupCounts {
  /** Hours whose interval rows were brought up to date. */
  readonly hours: number
  /** Days of the time zone of the settings whose rows were brought up to date. */
  readonly days: number
  /** false: another process was at it, which does the rest. */
  readonly complete: boolean
}

/** What the views compute from cells until it is added up. */
export interface RollupBacklog {
  readonly dirtyHours: number
  /** Age of the oldest mark in seconds, by the clock of the database; 0 without any. */
  readonly oldestSeconds: number
}

const EVERY_MS = 60_000
/** Days of another time zone that one statement deletes. */
const DAYS_PER_DELETE = 10

const QUEUE_KEYS = ['queue_id', 'media_type', 'direction']
const AGENT_KEYS = ['queue_id', 'user_id', 'media_type', 'direction']

/**
 * Brings the interval rows of all hours that are dirty now, and then the rows of all stale days, up to date, the newest first, each in
 * a short transaction of its own. Rows whose numbers are unchanged are not written. One process at a time does it; when another one is at it,
 * this one leaves. What is interrupted is continued by the next call.
 * @throws the reason of the signal, or a database error
 */
export async function recomputeDirtyHours(
  warehouse: Pick<Warehouse, 'db'>,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<RollupCounts> {
  const { db } = warehouse
  const { rows: hours } = await sql<{ hour: string }>`
    select hour::text from etl.dirty_hours group by hour order by etl.dirty_hours.hour desc`.execute(db)
  const recomputed = await each(
    hours.map(({ hour }) => hour),
    (hour) => alone(db, signal, (trx) => recomputeHour(trx, hour)),
  )
  const { rows: days } = await sql<{ day: string }>`
    select d.day::text from etl.stale_days d join reporting.settings s using (time_zone) order by d.day desc`.execute(
    db,
  )
  const summed = await each(recomputed.complete ? days.map(({ day }) => day) : [], (day) =>
    alone(db, signal, (trx) => recomputeDay(trx, day)),
  )
  const complete = recomputed.complete && summed.complete && (await forgetOtherZones(db, signal))
  // the planner would remember how many there were at the last automatic ANALYZE
  if (hours.length + days.length > 0) await sql`analyze etl.dirty_hours, etl.stale_days`.execute(db)
  return { hours: recomputed.done, days: summed.done, complete }
}

/** Reads how much is yet to be added up. */
async function readRollupBacklog(db: Kysely<Database>): Promise<RollupBacklog> {
  const { rows } = await sql<RollupBacklog>`
    select count(distinct hour)::integer as "dirtyHours",
      coalesce(extract(epoch from clock_timestamp() - min(dirtied_at)), 0)::double precision as "oldestSeconds"
    from etl.dirty_hours`.execute(db)
  return rows[0]!
}

export interface RollupDependencies {
  readonly warehouse: Warehouse
  readonly logger: Logger
}

/** Recomputes what a run has made dirty. A failure is logged: until it is made up for, the reports compute from the cells. */
export async function addUpAfterRun({ warehouse, logger }: RollupDependencies, signal: AbortSignal): Promise<boolean> {
  try {
    const { hours, days } = await recomputeDirtyHours(warehouse, { signal })
    if (hours + days > 0) logger.debug({ hours, days }, 'added up the intervals of dirty hours')
    return true
  } catch (error) {
    if (!signal.aborted)
      logger.warn(
        { err: error },
        'adding up the intervals failed; the reports compute them until a later attempt succeeds',
      )
    return false
  }
}

/**
 * Recomputes dirty hours now and every minute until the signal. Failures are logged; the next minute tries again.
 * @param options.onBacklog called with what is left after each time; null: unknown
 */
export function startRollups(
  options: RollupDependencies & {
    readonly signal: AbortSignal
    readonly onBacklog: (backlog: RollupBacklog | null) => void
  },
): { stop(): Promise<void> } {
  const { warehouse, signal, onBacklog } = options
  let working: Promise<void> | null = null
  const work = async (): Promise<void> => {
    const succeeded = await addUpAfterRun(options, signal)
    onBacklog(succeeded ? await readRollupBacklog(warehouse.db).catch(() => null) : null)
  }
  const tick = (): void => {
    working ??= work().finally(() => (working = null))
  }
  const timer = setInterval(tick, EVERY_MS)
  signal.addEventListener('abort', () => clearInterval(timer), { once: true })
  tick()
  return {
    async stop() {
      clearInterval(timer)
      await working
    },
  }
}

/**
 * Runs the work for each item until it says that another process is at it. An item that fails does not keep the others from their turn.
 * @throws the first error, after the last item
 */
async function each(
  items: readonly string[],
  work: (item: string) => Promise<boolean>,
): Promise<{ done: number; complete: boolean }> {
  const errors: unknown[] = []
  let done = 0
  for (const item of items) {
    try {
      if (!(await work(item))) return { done, complete: false }
      done++
    } catch (error) {
      // whatever concerns the database as a whole would repeat itself
      if (classify(error) !== 'data') throw error
      errors.push(error)
    }
  }
  if (errors.length > 0) throw errors[0]
  return { done, complete: true }
}

/** One transaction under the lock of rollups; false: another process holds it. */
async function alone(
  db: Kysely<Database>,
  signal: AbortSignal | undefined,
  work: (trx: Transaction<Database>) => Promise<void>,
): Promise<boolean> {
  return await retryTransient(
    () =>
      db.transaction().execute(async (trx) => {
        const { rows } = await sql<{ locked: boolean }>`
          select pg_try_advisory_xact_lock(${LockKey.rollups}) as locked`.execute(trx)
        if (!rows[0]?.locked) return false
        await work(trx)
        return true
      }),
    { signal },
  )
}

/**
 * The marks go first: the cells of every mark that is deleted are committed, so that the later statements see them, and a load that
 * commits in between leaves its own mark.
 */
async function recomputeHour(trx: Transaction<Database>, hour: string): Promise<void> {
  await sql`delete from etl.dirty_hours where hour = ${hour}`.execute(trx)
  for (const [table, keys, condition] of [
    ['etl.queue_intervals', [...QUEUE_KEYS, 'originating_direction'], 'true'],
    ['etl.agent_intervals', [...AGENT_KEYS, 'originating_direction'], 'user_id is not null'],
  ] as const) {
    await replaceRows(trx, {
      table,
      position: ['interval_start'],
      keys,
      within: sql`interval_start >= ${hour} and interval_start < ${hour}::timestamptz + interval '1 hour'`,
      source: sql`select * from etl.hour_cells(${hour}) where ${sql.raw(condition)}`,
    })
  }
  const zone = await lockTimeZone(trx)
  await sql`
    insert into etl.stale_days (time_zone, day)
    select distinct ${zone}, ((${hour}::timestamptz + part) at time zone ${zone})::date
    from unnest(array[interval '0', interval '45 minutes']) part
    on conflict do nothing`.execute(trx)
}

async function recomputeDay(trx: Transaction<Database>, day: string): Promise<void> {
  const zone = await lockTimeZone(trx)
  const deleted = await sql`delete from etl.stale_days where time_zone = ${zone} and day = ${day}`.execute(trx)
  // the zone has changed since the list of days was read
  if (deleted.numAffectedRows === 0n) return
  for (const [table, intervals, keys] of [
    ['etl.queue_days', 'etl.queue_intervals', QUEUE_KEYS],
    ['etl.agent_days', 'etl.agent_intervals', AGENT_KEYS],
  ] as const) {
    if (table === 'etl.agent_days' && (await lacksAgents(trx, day, zone))) continue
    await replaceRows(trx, {
      table,
      position: ['time_zone', 'day'],
      keys,
      within: sql`time_zone = ${zone} and day = ${day}`,
      // the bounds let it use the index, the last condition decides
      source: sql`select ${zone}::text as time_zone, ${day}::date as day, i.* from ${sql.raw(intervals)} i
        where interval_start >= (${day}::timestamp at time zone ${zone}) - interval '3 hours'
          and interval_start < ((${day}::date + 1)::timestamp at time zone ${zone}) + interval '3 hours'
          and (interval_start at time zone ${zone})::date = ${day}`,
    })
  }
}

/** Whether what the rows of agents are computed from was dropped with its month, so that they stay as they are. */
async function lacksAgents(trx: Transaction<Database>, day: string, zone: string): Promise<boolean> {
  const { rows } = await sql<{ lacks: boolean }>`
    select etl.lacks_agents(${day}::date, ${zone}) as lacks`.execute(trx)
  return rows[0]!.lacks
}

/** The zone of the settings, which does not change until the transaction has ended: the trigger of a change finds every row of ours. */
async function lockTimeZone(trx: Transaction<Database>): Promise<string> {
  const { rows } = await sql<{ zone: string }>`
    select time_zone as zone from reporting.settings for share`.execute(trx)
  return rows[0]!.zone
}

/**
 * Deletes the rows of time zones that are not set any more, but for those of agents that could not be computed again if the zone were set
 * back. False: another process was at it.
 */
async function forgetOtherZones(db: Kysely<Database>, signal: AbortSignal | undefined): Promise<boolean> {
  for (const table of ['etl.queue_days', 'etl.agent_days', 'etl.stale_days']) {
    for (;;) {
      let deleted = 0n
      const isAlone = await alone(db, signal, async (trx) => {
        const zone = await lockTimeZone(trx)
        const result = await sql`
          delete from ${sql.raw(table)} t where (t.time_zone, t.day) in (
            select distinct time_zone, day from ${sql.raw(table)}
            where (time_zone < ${zone} or time_zone > ${zone}) ${table === 'etl.agent_days' ? sql`and not etl.lacks_agents(day, time_zone)` : sql.raw('')}
            limit ${DAYS_PER_DELETE})`.execute(trx)
        deleted = result.numAffectedRows ?? 0n
      })
      if (!isAlone) return false
      if (deleted === 0n) break
    }
  }
  return true
}

interface Replacement {
  readonly table: string
  /** Columns of the primary key before `key`. */
  readonly position: readonly string[]
  readonly keys: readonly string[]
  /** Which rows are replaced. */
  readonly within: ReturnType<typeof sql>
  /** The query whose rows are added up, by position and keys. */
  readonly source: ReturnType<typeof sql>
}

/** Makes the rows those that the source adds up to: deletes what is gone, and writes what is new or has changed. */
async function replaceRows(
  trx: Transaction<Database>,
  { table, position, keys, within, source }: Replacement,
): Promise<void> {
  const columns = measures.map(({ column }) => column)
  const list = (names: readonly string[], prefix = ''): string => names.map((name) => prefix + name).join(', ')
  const groups = list([...position, ...keys])
  // NOT IN is hashed; of an anti join with rows that are yet to be computed, the planner makes a nested loop
  const place = list([...position, 'key'])
  const raw = (text: string) => sql.raw(text)
  await sql`
    with fresh as (
      select ${raw(groups)}, md5(row(${raw(list(keys))})::text)::uuid as key, ${raw(measures.map(aggregate).join(', '))}
      from (${source}) added group by ${raw(groups)}
    ), gone as (
      delete from ${raw(table)} where ${within}
        and (${raw(place)}) not in (select ${raw(place)} from fresh)
    )
    insert into ${raw(table)} as t (${raw(groups)}, key, ${raw(list(columns))})
    select ${raw(groups)}, key, ${raw(list(columns))} from fresh
    on conflict (${raw(place)}) do update
    set ${raw(columns.map((name) => `${name} = excluded.${name}`).join(', '))}, updated_at = now()
    where (${raw(list(columns, 't.'))}) is distinct from (${raw(list(columns, 'excluded.'))})`.execute(trx)
}

function aggregate({ column, aggregate }: Measure): string {
  return aggregate === 'max' ? `max(${column}) as ${column}` : `etl.total(${column}) as ${column}`
}

import { sql, type Kysely } from 'kysely'
import type { Database, JsonRecord, WindowStatus } from '../postgres/database.ts'
import { recording } from '../postgres/errors.ts'

/** What belongs together in the ledger: coverage of one key says nothing about another. */
export interface WindowKey {
  readonly stream: string
  readonly source: string
  /** Any JSON object; {} for no filter. The order of its keys does not matter. */
  readonly filter: object
}

/** A row of etl.windows. */
export interface WindowRecord {
  readonly start: Date
  readonly end: Date
  readonly status: WindowStatus
  readonly attempts: number
  readonly hits: number | null
  readonly counts: JsonRecord | null
  /** When it was last read successfully; of a window that never was, when it was last tried. */
  readonly readAt: Date
  readonly nextAttemptAt: Date | null
  readonly errorCode: string | null
  readonly error: string | null
  readonly runId: number | null
}

/** How the reading of a window ended. */
export interface WindowOutcome extends WindowKey {
  readonly start: Date
  readonly end: Date
  readonly status: WindowStatus
  readonly runId: number | null
  readonly hits?: number | null
  readonly counts?: object | null
  readonly nextAttemptAt?: Date | null
  readonly errorCode?: string | undefined
  readonly error?: string | undefined
}

/**
 * Books how the reading of a window ended; returns the attempts since it was last done (a run counts once). A failure does
 * not undo an earlier `done`: the coverage stays, the error is noted beside it. What the new outcome makes redundant goes:
 * narrower windows of the key, unless they are more settled than it.
 */
export async function recordWindow(db: Kysely<Database>, outcome: WindowOutcome): Promise<number> {
  const { stream, source, start, end, status, runId } = outcome
  const filter = JSON.stringify(outcome.filter)
  const counts = outcome.counts ? JSON.stringify(outcome.counts) : null
  return recording('booking a window', () =>
    db.transaction().execute(async (trx) => {
      const { rows } = await sql<{ attempts: number }>`
        insert into etl.windows as w (stream, source, filter, start, "end", status, hits, counts, read_at, next_attempt_at,
          error_code, error, run_id)
        values (${stream}, ${source}, ${filter}::jsonb, ${start}, ${end}, ${status}, ${outcome.hits ?? null}, ${counts}::jsonb,
          case when ${status} <> 'failed' then clock_timestamp() end, ${outcome.nextAttemptAt ?? null},
          ${outcome.errorCode ?? null}, ${outcome.error ?? null}, ${runId})
        on conflict (stream, source, filter, start, "end") do update set
          status = case when excluded.status = 'failed' and w.status = 'done' then w.status else excluded.status end,
          attempts = case
            when excluded.status = 'done' then 1
            when w.run_id = excluded.run_id and w.status = excluded.status then w.attempts
            when w.status = 'done' and excluded.status <> 'failed' then 1
            else w.attempts + 1 end,
          hits = coalesce(excluded.hits, w.hits),
          counts = coalesce(excluded.counts, w.counts),
          read_at = coalesce(excluded.read_at, w.read_at),
          recorded_at = clock_timestamp(),
          next_attempt_at = excluded.next_attempt_at,
          error_code = excluded.error_code,
          error = excluded.error,
          run_id = excluded.run_id
        returning attempts`.execute(trx)
      await sql`
        delete from etl.windows
        where stream = ${stream} and source = ${source} and filter = ${filter}::jsonb
          and start >= ${start} and "end" <= ${end} and not (start = ${start} and "end" = ${end})
          and status = any(${redundantUnder[status]}::text[])`.execute(trx)
      return rows[0]?.attempts ?? 1
    }),
  )
}

const redundantUnder: Readonly<Record<WindowStatus, readonly WindowStatus[]>> = {
  done: ['done', 'provisional', 'unstable', 'failed'],
  unstable: ['provisional', 'unstable', 'failed'],
  provisional: ['provisional', 'failed'],
  failed: ['failed'],
}

/** The windows of a key, by start; `range`: only those that overlap it. */
export async function selectWindows(
  db: Kysely<Database>,
  key: WindowKey,
  range?: { readonly start: Date; readonly end: Date },
): Promise<WindowRecord[]> {
  let query = db
    .selectFrom('etl.windows')
    .selectAll()
    .where('stream', '=', key.stream)
    .where('source', '=', key.source)
    .where(sql<boolean>`filter = ${JSON.stringify(key.filter)}::jsonb`)
    .orderBy('start')
    .orderBy('end')
  if (range) query = query.where('start', '<', range.end).where('end', '>', range.start)
  const rows = await recording('reading windows', () => query.execute())
  return rows.map((row) => ({
    start: row.start,
    end: row.end,
    status: row.status,
    attempts: row.attempts,
    hits: row.hits,
    counts: row.counts,
    readAt: row.read_at ?? row.recorded_at,
    nextAttemptAt: row.next_attempt_at,
    errorCode: row.error_code,
    error: row.error,
    runId: row.run_id,
  }))
}

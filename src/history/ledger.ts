import { sql, type Kysely } from 'kysely'
import type { Database, WindowStatus } from '../postgres/database.ts'
import type { Interval } from '../model/interval.ts'
import { recording } from '../postgres/errors.ts'

/** What belongs together in the ledger: coverage of one key says nothing about another. */
export interface WindowKey {
  /** `conversations`: those that started in the window; `activity`: those that lived in it. */
  readonly stream: string
  /** Any JSON object; {} for no filter. The order of its keys does not matter. */
  readonly filter: object
}

/** How a window is read. What one source has read completely, the other does not have to read again. */
export type WindowSource = 'query' | 'jobs'

/** A row of etl.windows. */
export interface WindowRecord {
  readonly start: Date
  readonly end: Date
  readonly status: WindowStatus
  readonly attempts: number
  readonly hits: number | null
  /** Records of it that could not be loaded. */
  readonly rejected: number
  /** When it was last read successfully; of a window that never was, when it was last tried. */
  readonly readAt: Date
  /** When that read was recorded; later than readAt for a job, whose data are older than its reading. */
  readonly loadedAt: Date
  readonly nextAttemptAt: Date | null
  readonly errorCode: string | null
  readonly error: string | null
  readonly runId: number | null
}

/** How the reading of a window ended, for the ledger. */
export interface WindowMark extends WindowKey {
  /** Default: query. */
  readonly source?: WindowSource
  readonly start: Date
  readonly end: Date
  readonly status: WindowStatus
  readonly runId: number | null
  readonly hits?: number | null
  readonly counts?: object | null
  /** As of when the data are current; default: now. */
  readonly asOf?: Date | undefined
  /** When an unstable window is tried again after this many attempts. */
  readonly nextAttemptAt?: (attempts: number) => Date
  readonly errorCode?: string | undefined
  readonly error?: string | undefined
}

/**
 * Records how the reading of a window ended, in one transaction; returns the attempts since it was last done (a run counts
 * once). A failure does not undo an earlier `done`: the coverage stays, the error is noted beside it. What the new mark makes
 * redundant is deleted: narrower windows of the key, unless they are more settled than it.
 * @throws EtlError
 */
export async function recordWindow(db: Kysely<Database>, mark: WindowMark): Promise<number> {
  const { stream, source = 'query', start, end, status, runId } = mark
  const filter = JSON.stringify(mark.filter)
  const counts = mark.counts ? JSON.stringify(mark.counts) : null
  return recording('recording a window', () =>
    db.transaction().execute(async (trx) => {
      const { rows } = await sql<{ id: number; attempts: number }>`
        insert into etl.windows as w (stream, source, filter, start, "end", status, hits, counts, read_at, error_code,
          error, run_id)
        values (${stream}, ${source}, ${filter}::jsonb, ${start}, ${end}, ${status}, ${mark.hits ?? null}, ${counts}::jsonb,
          case when ${status} <> 'failed' then coalesce(${mark.asOf ?? null}::timestamptz, clock_timestamp()) end, ${mark.errorCode ?? null}, ${mark.error ?? null},
          ${runId})
        on conflict (stream, filter, start, "end") do update set
          source = case when excluded.status = 'failed' and w.status = 'done' then w.source else excluded.source end,
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
          next_attempt_at = null,
          error_code = excluded.error_code,
          error = excluded.error,
          run_id = excluded.run_id
        returning id, attempts`.execute(trx)
      const [row] = rows
      if (row && mark.nextAttemptAt)
        await trx
          .updateTable('etl.windows')
          .set({ next_attempt_at: mark.nextAttemptAt(row.attempts) })
          .where('id', '=', row.id)
          .execute()
      await sql`
        delete from etl.windows
        where stream = ${stream} and filter = ${filter}::jsonb
          and start >= ${start} and "end" <= ${end} and not (start = ${start} and "end" = ${end})
          and status = any(${REDUNDANT_UNDER[status]}::text[])`.execute(trx)
      return row?.attempts ?? 1
    }),
  )
}

const REDUNDANT_UNDER: Readonly<Record<WindowStatus, readonly WindowStatus[]>> = {
  done: ['done', 'provisional', 'unstable', 'failed'],
  unstable: ['provisional', 'unstable', 'failed'],
  provisional: ['provisional', 'failed'],
  failed: ['failed'],
}

/** The windows of a key, by start; `range`: only those that overlap it. */
export async function selectWindows(db: Kysely<Database>, key: WindowKey, range?: Interval): Promise<WindowRecord[]> {
  let query = db
    .selectFrom('etl.windows')
    .select(['start', 'end', 'status', 'attempts', 'hits', 'read_at', 'recorded_at', 'next_attempt_at'])
    .select(['error_code', 'error', 'run_id'])
    // of the counts nothing else is wanted, and they are most of a row
    .select(sql<number>`coalesce((counts ->> 'rejected')::integer, 0)`.as('rejected'))
    .where('stream', '=', key.stream)
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
    rejected: row.rejected,
    readAt: row.read_at ?? row.recorded_at,
    // a failure after a read that was done is recorded in its row
    loadedAt: row.status === 'done' && row.error_code !== null ? (row.read_at ?? row.recorded_at) : row.recorded_at,
    nextAttemptAt: row.next_attempt_at,
    errorCode: row.error_code,
    error: row.error,
    runId: row.run_id,
  }))
}

import { hostname } from 'node:os'
import { sql, type Kysely } from 'kysely'
import type { Database, JsonRecord, RunStatus, WindowStatus } from '../postgres/database.ts'
import { retryTransient, toEtlError } from '../postgres/errors.ts'

/** Who started a run. */
export type RunTrigger = 'cron' | 'catch-up' | 'manual' | 'demo'

/** A run that is under way. */
export interface Run {
  readonly id: number
  readonly job: string
  readonly startedAt: Date
  /** Windows read since then need not be read again: the start of the first of the unfinished runs that this one resumes. */
  readonly cycleStartedAt: Date
}

/** A row of etl.runs. */
export interface RunRecord extends Run {
  readonly trigger: string
  readonly status: RunStatus
  readonly finishedAt: Date | null
  readonly parameters: JsonRecord
  readonly plan: unknown
  readonly counts: JsonRecord | null
  readonly errorCode: string | null
  readonly error: string | null
  readonly hint: string | null
  readonly host: string | null
}

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
 * Books a run that starts. To be called under the job's lock: runs of the job that are still booked as running are those of
 * killed processes, and are booked as interrupted. A run of the same parameters that ended without being done, no longer
 * than a day ago, is resumed; but the cycle of a job on a schedule (`sync`, `intraday`) lasts 12 hours at most, since its
 * lookback is meant to be read every night whatever failed the night before.
 */
export async function startRun(
  db: Kysely<Database>,
  request: {
    readonly job: string
    readonly trigger: RunTrigger
    readonly parameters: object
    readonly version?: string
  },
): Promise<Run> {
  return booked('starting a run', async () =>
    db.transaction().execute(async (trx) => {
      await sql`
        update etl.runs r set status = 'interrupted', error_code = 'PROCESS_GONE', error = 'The process ended without a word',
          finished_at = greatest(r.started_at, (select max(w.recorded_at) from etl.windows w where w.run_id = r.id))
        where r.job = ${request.job} and r.status = 'running'`.execute(trx)
      const parameters = JSON.stringify(request.parameters)
      const { rows } = await sql<{ id: number; started_at: Date; cycle_started_at: Date }>`
        with previous as (
          select status, cycle_started_at, finished_at from etl.runs
          where job = ${request.job} and parameters = ${parameters}::jsonb order by id desc limit 1)
        insert into etl.runs (job, trigger, parameters, host, version, cycle_started_at)
        select ${request.job}, ${request.trigger}, ${parameters}::jsonb, ${`${hostname()}:${process.pid}`},
          ${request.version ?? null}, coalesce((
            select cycle_started_at from previous
            -- one in the future was set by a clock that was ahead: nothing would be read since then
            where status <> 'done' and cycle_started_at <= now() and finished_at > now() - interval '1 day'
              and (${request.job} not in ('sync', 'intraday') or cycle_started_at > now() - interval '12 hours')), now())
        returning id, started_at, cycle_started_at`.execute(trx)
      const [row] = rows
      if (!row) throw new Error('etl.runs took no row')
      return { id: row.id, job: request.job, startedAt: row.started_at, cycleStartedAt: row.cycle_started_at }
    }),
  )
}

/** Keeps what a run expects to do. */
export async function recordPlan(db: Kysely<Database>, run: Run, plan: unknown): Promise<void> {
  await booked('keeping a plan', () =>
    db
      .updateTable('etl.runs')
      .set({ plan: JSON.stringify(plan) })
      .where('id', '=', run.id)
      .execute(),
  )
}

/** Books how a run ended. */
export async function finishRun(
  db: Kysely<Database>,
  run: Run,
  end: {
    readonly status: Exclude<RunStatus, 'running'>
    readonly counts?: object | undefined
    readonly errorCode?: string | undefined
    readonly error?: string | undefined
    readonly hint?: string | undefined
  },
): Promise<void> {
  await booked('booking the end of a run', () =>
    db
      .updateTable('etl.runs')
      .set({
        status: end.status,
        finished_at: sql<Date>`clock_timestamp()`,
        ...(end.counts && { counts: JSON.stringify(end.counts) }),
        error_code: end.errorCode ?? null,
        error: end.error ?? null,
        hint: end.hint ?? null,
      })
      .where('id', '=', run.id)
      .execute(),
  )
}

/** The last runs, newest first. */
export async function selectRuns(db: Kysely<Database>, limit: number): Promise<RunRecord[]> {
  const query = db.selectFrom('etl.runs').selectAll().orderBy('id', 'desc').limit(limit)
  const rows = await booked('reading runs', () => query.execute())
  return rows.map((row) => ({
    id: row.id,
    job: row.job,
    trigger: row.trigger,
    status: row.status,
    startedAt: row.started_at,
    cycleStartedAt: row.cycle_started_at,
    finishedAt: row.finished_at,
    parameters: row.parameters,
    plan: row.plan,
    counts: row.counts,
    errorCode: row.error_code,
    error: row.error,
    hint: row.hint,
    host: row.host,
  }))
}

/**
 * When the first sync of what the key covers ran that got as far as a plan; null when none has. What is owed without
 * HISTORY_START begins there.
 */
export async function selectFirstSync(db: Kysely<Database>, key: Pick<WindowKey, 'filter'>): Promise<Date | null> {
  const filter = JSON.stringify(key.filter)
  const { rows } = await booked('reading runs', () =>
    sql<{ started_at: Date }>`
      select started_at from etl.runs
      where job = 'sync' and plan is not null and started_at <= clock_timestamp()
        and parameters -> 'filter' = ${filter}::jsonb
      order by id limit 1`.execute(db),
  )
  return rows[0]?.started_at ?? null
}

/** When a run of the job last started; null when none ever has. */
export async function selectLastStart(db: Kysely<Database>, job: string): Promise<Date | null> {
  const query = db.selectFrom('etl.runs').select('started_at').where('job', '=', job).orderBy('id', 'desc').limit(1)
  const row = await booked('reading runs', () => query.executeTakeFirst())
  return row?.started_at ?? null
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
  return booked('booking a window', () =>
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
  const rows = await booked('reading windows', () => query.execute())
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

async function booked<Result>(doing: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await retryTransient(work)
  } catch (error) {
    throw toEtlError(error, doing)
  }
}

/** The run history: one row of etl.runs per run of a job. */
import { hostname } from 'node:os'
import { sql, type Kysely } from 'kysely'
import manifest from '../../package.json' with { type: 'json' }
import type { ErrorKind } from '../errors.ts'
import type { Database, JsonRecord, RunStatus, RunTrigger } from '../postgres/database.ts'
import { recording } from '../postgres/errors.ts'

export type { RunTrigger } from '../postgres/database.ts'

/** A run that is under way. */
export interface Run {
  readonly id: number
  readonly job: string
  readonly startedAt: Date
  /** Windows read since then are not read again: the start of the first of the unfinished runs that this one resumes. */
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
  /** Absent: the run is older than this record, or a bug ended it. */
  readonly errorKind?: ErrorKind | null
  readonly error: string | null
  readonly hint: string | null
  readonly host: string | null
}

/**
 * Records the start of a run. To be called under the job's lock: runs of the job that are still recorded as running are those of
 * killed processes, and become interrupted. A run of the same parameters that ended without being done, at most a day ago, is
 * resumed; but the cycle of a job on a schedule (`sync`, `intraday`) lasts 12 hours at most, since its lookback has to be read
 * every night whatever failed the night before.
 * @throws EtlError
 */
export async function startRun(
  db: Kysely<Database>,
  request: {
    readonly job: string
    readonly trigger: RunTrigger
    readonly parameters: object
  },
): Promise<Run> {
  return recording('starting a run', async () =>
    db.transaction().execute(async (trx) => {
      await sql`
        update etl.runs r set status = 'interrupted', error_code = 'PROCESS_GONE', error = 'The process was killed or crashed before it recorded a result',
          finished_at = greatest(r.started_at, (select max(w.recorded_at) from etl.windows w where w.run_id = r.id))
        where r.job = ${request.job} and r.status = 'running'`.execute(trx)
      const parameters = JSON.stringify(request.parameters)
      const { rows } = await sql<{ id: number; started_at: Date; cycle_started_at: Date }>`
        with previous as (
          select status, cycle_started_at, finished_at from etl.runs
          where job = ${request.job} and parameters = ${parameters}::jsonb order by id desc limit 1)
        insert into etl.runs (job, trigger, parameters, host, version, cycle_started_at)
        select ${request.job}, ${request.trigger}, ${parameters}::jsonb, ${`${hostname()}:${process.pid}`},
          ${manifest.version}, coalesce((
            select cycle_started_at from previous
            -- one in the future was set by a clock that was ahead: nothing would be read since then
            where status <> 'done' and cycle_started_at <= now() and finished_at > now() - interval '1 day'
              and (${request.job} not in ('sync', 'intraday') or cycle_started_at > now() - interval '12 hours')), now())
        returning id, started_at, cycle_started_at`.execute(trx)
      const [row] = rows
      if (!row) throw new Error('etl.runs returned no row')
      return { id: row.id, job: request.job, startedAt: row.started_at, cycleStartedAt: row.cycle_started_at }
    }),
  )
}

/** Records what a run expects to do. */
export async function recordPlan(db: Kysely<Database>, run: Run, plan: unknown): Promise<void> {
  await recording('recording a plan', () =>
    db
      .updateTable('etl.runs')
      .set({ plan: JSON.stringify(plan) })
      .where('id', '=', run.id)
      .execute(),
  )
}

/** Records how a run ended. */
export async function finishRun(
  db: Kysely<Database>,
  run: Run,
  end: {
    readonly status: Exclude<RunStatus, 'running'>
    readonly counts?: object | undefined
    readonly errorCode?: string | undefined
    readonly errorKind?: ErrorKind | undefined
    readonly error?: string | undefined
    readonly hint?: string | undefined
  },
): Promise<void> {
  await recording('recording the end of a run', () =>
    db
      .updateTable('etl.runs')
      .set({
        status: end.status,
        finished_at: sql<Date>`clock_timestamp()`,
        ...(end.counts && { counts: JSON.stringify(end.counts) }),
        error_code: end.errorCode ?? null,
        error_kind: end.errorKind ?? null,
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
  const rows = await recording('reading runs', () => query.execute())
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
    errorKind: row.error_kind,
    error: row.error,
    hint: row.hint,
    host: row.host,
  }))
}

/**
 * When the first sync ran that covers the key and got as far as a plan; null when none has. Without HISTORY_START, what is due begins
 * there.
 */
export async function selectFirstSync(db: Kysely<Database>, key: { readonly filter: object }): Promise<Date | null> {
  const filter = JSON.stringify(key.filter)
  const { rows } = await recording('reading runs', () =>
    sql<{ started_at: Date }>`
      select started_at from etl.runs
      where job = 'sync' and plan is not null and started_at <= clock_timestamp()
        and parameters -> 'filter' = ${filter}::jsonb
      order by id limit 1`.execute(db),
  )
  return rows[0]?.started_at ?? null
}

/**
 * Reduces runs older than a quarter to what the status needs of them: the windows of their plan and their counts go, which are most
 * of a row.
 */
export async function forgetOldDetails(db: Kysely<Database>): Promise<void> {
  // the rest of the plan stays: that there was one tells when the first sync ran
  await sql`
    update etl.runs set counts = null, plan = case jsonb_typeof(plan) when 'object' then plan - 'windows' else plan end
    where started_at < now() - interval '92 days' and (counts is not null or plan ? 'windows')`.execute(db)
}

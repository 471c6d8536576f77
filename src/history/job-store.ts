/** The table etl.details_jobs: jobs that Genesys has for us, so that a process that dies leaves none behind. */
import { sql, type Kysely } from 'kysely'
import type { Interval } from '../model/interval.ts'
import type { Database } from '../postgres/database.ts'
import { recording } from '../postgres/errors.ts'
import type { WindowKey } from './ledger.ts'

/** A job that Genesys has. */
export interface StoredJob {
  readonly jobId: string
  /** By the database's clock. */
  readonly submittedAt: Date
  /** Up to when the data that jobs read were complete before it was submitted, by the clock of Genesys. */
  readonly availableUntil: Date
}

/** Jobs older than this are not resumed: Genesys keeps results for a limited time, and nothing works on a job for so long. */
const RESUMABLE = sql`interval '1 day'`

/** Remembers a job that was submitted. */
export async function insertJob(
  db: Kysely<Database>,
  job: StoredJob & WindowKey & Interval & { readonly runId: number | null },
): Promise<void> {
  const query = db.insertInto('etl.details_jobs').values({
    job_id: job.jobId,
    stream: job.stream,
    filter: JSON.stringify(job.filter),
    start: job.start,
    end: job.end,
    submitted_at: job.submittedAt,
    available_until: job.availableUntil,
    run_id: job.runId,
  })
  await recording('remembering a details job', () => query.execute())
}

/** The latest job of a window that can be resumed, submitted at `since` or later. */
export async function selectJob(
  db: Kysely<Database>,
  key: WindowKey,
  { start, end }: Interval,
  since: Date | null,
): Promise<StoredJob | undefined> {
  const { rows } = await recording('reading details jobs', () =>
    sql<{ job_id: string; submitted_at: Date; available_until: Date }>`
      select job_id, submitted_at, available_until from etl.details_jobs
      where stream = ${key.stream} and filter = ${JSON.stringify(key.filter)}::jsonb and start = ${start} and "end" = ${end}
        and submitted_at > clock_timestamp() - ${RESUMABLE} and submitted_at <= clock_timestamp()
        and submitted_at >= coalesce(${since}::timestamptz, submitted_at)
      order by submitted_at desc limit 1`.execute(db),
  )
  const [row] = rows
  return row && { jobId: row.job_id, submittedAt: row.submitted_at, availableUntil: row.available_until }
}

/** Forgets a job that Genesys no longer has. */
export async function deleteJob(db: Kysely<Database>, jobId: string): Promise<void> {
  await recording('forgetting a details job', () =>
    db.deleteFrom('etl.details_jobs').where('job_id', '=', jobId).execute(),
  )
}

/** The ids of jobs that nobody works on: their window was recorded after they were submitted, or they are too old to be resumed. */
export async function selectLeftJobs(db: Kysely<Database>): Promise<string[]> {
  const { rows } = await recording('reading details jobs', () =>
    sql<{ job_id: string }>`
      select job_id from etl.details_jobs d
      where submitted_at <= clock_timestamp() - ${RESUMABLE} or submitted_at > clock_timestamp() or exists (
        select from etl.windows w
        where w.stream = d.stream and w.filter = d.filter and w.start <= d.start and w."end" >= d."end"
          and w.status = 'done' and w.error_code is null and w.recorded_at > d.submitted_at)
      order by submitted_at`.execute(db),
  )
  return rows.map(({ job_id }) => job_id)
}

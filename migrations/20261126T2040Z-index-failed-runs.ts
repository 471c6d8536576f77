import { sql, type Kysely } from 'kysely'

/**
 * The failed runs of a job since its last success, for the status: without their index, one of a job that has not succeeded for long
 * reads the runs of all jobs since then. Takes a moment, in which no run is recorded. If it can't get a lock for 5 s, it gives up and is
 * tried again.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`set local lock_timeout = '5s'`.execute(db)
  await sql`create index if not exists runs_failed_idx on etl.runs (job, id) where status = 'failed'`.execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`drop index etl.runs_failed_idx`.execute(db)
}

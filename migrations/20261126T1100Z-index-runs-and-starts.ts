import { sql, type Kysely } from 'kysely'

/**
 * Indexes for statements whose answer is small however long the history is: the runs of the last days (status pages), the running ones
 * (the start of a run), and the conversations of a range of days (verify). Takes about a second per million conversations, in which loads
 * wait. If it can't get a lock for 5 s, it gives up and is tried again, so that loads do not queue behind it.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`set local lock_timeout = '5s'`.execute(db)
  await sql`create index if not exists runs_started_at_idx on etl.runs (started_at)`.execute(db)
  await sql`create index if not exists runs_running_idx on etl.runs (job) where status = 'running'`.execute(db)
  await sql`create index if not exists conversations_conversation_start_idx on etl.conversations (conversation_start)`.execute(
    db,
  )
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`drop index etl.runs_started_at_idx, etl.runs_running_idx, etl.conversations_conversation_start_idx`.execute(
    db,
  )
}

import { sql, type Kysely } from 'kysely'

/** Conversations that live saw end, and that are read once more when their closing fields have arrived. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table etl.rereads (
      conversation_id text primary key,
      ended_at timestamptz,
      due_at timestamptz not null
    )`.execute(db)
  await sql`create index on etl.rereads (due_at)`.execute(db)
}

/** Drops the table: the nightly sync reads the same conversations again. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`drop table etl.rereads`.execute(db)
}

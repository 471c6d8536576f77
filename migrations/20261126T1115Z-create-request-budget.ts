import { sql, type Kysely } from 'kysely'

/** What the processes of one OAuth client have sent lately. Unlogged: a crash of the server empties it, which is harmless. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create unlogged table etl.request_budget (
      client text primary key,
      version bigint not null,
      state jsonb not null,
      leased_at timestamptz not null default now()
    ) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500)`.execute(db)
}

/** Drops the table: each process keeps to the request limit on its own. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`drop table etl.request_budget`.execute(db)
}

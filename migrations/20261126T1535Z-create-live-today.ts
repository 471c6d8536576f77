import { sql, type Kysely } from 'kysely'

/** The figures of the local day for the wallboard: one row per queue and one for all of them, replaced together every few minutes. */
const statements = `
create table genesys.live_today (
  queue_id text,
  day date not null,
  time_zone text not null,
  source text not null,
  read_at timestamptz not null,
  offered bigint not null,
  answered bigint not null,
  answer_ms bigint not null,
  abandoned bigint not null,
  answered_in_time bigint not null,
  service_level_contacts bigint not null
);
create unique index live_today_queue_id_idx on genesys.live_today (coalesce(queue_id, ''));
`

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`set local lock_timeout = '3s'`.execute(db)
  await sql.raw(statements).execute(db)
}

/** Drops the figures of the day; the next version reads them again within minutes. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`set local lock_timeout = '3s'`.execute(db)
  await sql`drop table genesys.live_today`.execute(db)
}

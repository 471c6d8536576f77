import { sql, type Kysely } from 'kysely'

/**
 * What comparing our intervals with Genesys' own aggregates found: the figures that differ, and one row per day that was compared, also
 * where nothing differs. Figures are numeric, since nothing limits a sum that Genesys sends.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`set local lock_timeout = '3s'`.execute(db)
  await sql`
    create table etl.reconciliations (
      id bigint generated always as identity primary key,
      run_id bigint not null,
      day date not null,
      interval_start timestamptz not null,
      queue_id text,
      media_type text,
      user_id text,
      metric text not null,
      statistic text not null,
      ours numeric not null,
      theirs numeric not null,
      class text not null,
      conversations text[] not null default '{}',
      created_at timestamptz not null default now()
    )`.execute(db)
  await sql`create index on etl.reconciliations (run_id, day)`.execute(db)
  await sql`create index on etl.reconciliations (created_at)`.execute(db)
  await sql`
    create table etl.reconciled_days (
      day date not null,
      filter jsonb not null,
      reconciled_at timestamptz not null default now(),
      run_id bigint not null,
      by_user boolean not null,
      cells bigint not null,
      differences bigint not null,
      expected bigint not null,
      primary key (day, filter)
    )`.execute(db)
}

/** Drops the findings; the days are compared again on demand. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`set local lock_timeout = '3s'`.execute(db)
  await sql`drop table etl.reconciled_days, etl.reconciliations`.execute(db)
}

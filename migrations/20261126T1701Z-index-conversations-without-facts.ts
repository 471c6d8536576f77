import { sql, type Kysely } from 'kysely'

/**
 * The index of the conversations whose rows have to be derived by the rules of version 2, in place of that of version 1. On a long history
 * its build would hold up loads, so there the service replaces the one by the other (reporting/stale.ts). If it can't get a lock for 3 s, it
 * gives up and is tried again.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`set local lock_timeout = '3s'`.execute(db)
  await sql`
    do $$ begin
      if pg_relation_size('etl.conversations') < 32 * 1024 * 1024 then
        drop index if exists etl.conversations_stale_v1_idx;
        create index conversations_stale_v2_idx on etl.conversations
          ((case when derived_hash is distinct from content_hash or derived_version is distinct from 2 then conversation_start end))
          where (case when derived_hash is distinct from content_hash or derived_version is distinct from 2 then conversation_start end)
            is not null;
      end if;
    end $$`.execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`set local lock_timeout = '3s'`.execute(db)
  await sql`drop index if exists etl.conversations_stale_v2_idx`.execute(db)
}

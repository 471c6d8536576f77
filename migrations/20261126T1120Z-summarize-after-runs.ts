import { sql, type Kysely } from 'kysely'

/**
 * Turns autosummarize off: while much is loaded, autovacuum's queue overflows and each range that it misses is a line in the
 * server's log. The loader summarizes at the end of a run instead. A partitioned index can't be altered, so those keep the setting;
 * the loader turns it off for each new partition.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await setAutosummarize(db, 'off')
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await setAutosummarize(db, 'on')
}

async function setAutosummarize(db: Kysely<unknown>, setting: 'on' | 'off'): Promise<void> {
  await sql
    .raw(
      `do $$
      declare name regclass;
      begin
        for name in
          select i.oid::regclass from pg_class i join pg_am a on a.oid = i.relam
          where i.relnamespace = 'genesys'::regnamespace and i.relkind = 'i' and a.amname = 'brin'
            and coalesce(i.reloptions, '{}') @> array['autosummarize=${setting === 'off' ? 'on' : 'off'}']
        loop
          execute format('alter index %s set (autosummarize = ${setting})', name);
        end loop;
      end $$`,
    )
    .execute(db)
}

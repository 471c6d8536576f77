import { sql, type Kysely } from 'kysely'

/**
 * Records which columns need no filling from _extra: all that there are so far, since no version has added one, but the lists. Those
 * were left empty, with their value in _extra, where an element was null.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    insert into etl.meta (key, value)
    select 'filled_columns', coalesce(jsonb_agg(c.relname || '.' || a.attname || ' ' ||
      replace(format_type(a.atttypid, a.atttypmod), 'timestamp with time zone', 'timestamptz')), '[]')
    from pg_attribute a join pg_class c on c.oid = a.attrelid
    where c.relnamespace = 'genesys'::regnamespace and c.relkind = 'p' and a.attnum > 0 and not a.attisdropped
      and format_type(a.atttypid, a.atttypmod) not like '%[]'
    on conflict (key) do nothing`.execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`delete from etl.meta where key in ('filled_columns', 'filling_columns')`.execute(db)
}

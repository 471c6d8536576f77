import { sql, type Kysely } from 'kysely'

/**
 * Takes from the partitions what default privileges have granted on them, so that tools which list what a role may read show the
 * tables alone. Reading through a table needs no right on its partitions. What somebody granted by hand on a partition stays.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    do $$ declare statement text; begin
      for statement in
        select distinct format('revoke %s on %s from %s', held.privilege_type, c.oid::regclass,
          case held.grantee when 0 then 'public' else held.grantee::regrole::text end)
        from pg_class c
        join pg_default_acl d on d.defaclobjtype = 'r' and d.defaclrole = c.relowner and d.defaclnamespace in (0, c.relnamespace)
        cross join aclexplode(d.defaclacl) given
        cross join aclexplode(c.relacl) held
        where c.relnamespace = 'genesys'::regnamespace and c.relispartition and c.relkind = 'r' and held.grantee <> c.relowner
          and held.grantee = given.grantee and held.privilege_type = given.privilege_type
      loop
        execute statement;
      end loop;
    end $$`.execute(db)
}

/** Nothing: partitions are read through their tables. */
export async function down(_db: Kysely<unknown>): Promise<void> {}

/**
 * A statement that takes from a new partition what default privileges have granted on it: reading through its table needs no right on
 * the partition, and tools that list what a role may read would show every month as a table.
 * @param partition its name with its schema, as SQL has it
 */
export function revokeDefaultGrants(partition: string): string {
  return `do $$ declare grantee text; begin
      for grantee in
        select distinct case acl.grantee when 0 then 'public' else acl.grantee::regrole::text end
        from pg_class c cross join aclexplode(c.relacl) acl
        where c.oid = '${partition}'::regclass and acl.grantee <> c.relowner
      loop
        execute 'revoke all on ${partition} from ' || grantee;
      end loop;
    end $$;`
}

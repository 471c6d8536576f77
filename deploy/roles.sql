-- Roles for genesys-etl. Run once as an administrator, in the database that will hold the conversations, before the first
-- migration:
--
--   psql "$ADMIN_URL" -f deploy/roles.sql
--   psql "$ADMIN_URL" -c '\password genesys_loader'
--   psql "$ADMIN_URL" -c '\password genesys_reader'
--
-- genesys_loader migrates and loads: it owns the schemas, since only an owner can attach partitions.
-- genesys_reader reads schema genesys and reporting, and nothing else: for BI tools, or to be granted to their logins.

do $$
begin
  if not exists (select from pg_roles where rolname = 'genesys_loader') then
    create role genesys_loader login;
  end if;
  if not exists (select from pg_roles where rolname = 'genesys_reader') then
    create role genesys_reader login;
  end if;
  execute format('grant connect, create on database %I to genesys_loader', current_database());
  execute format('grant connect on database %I to genesys_reader', current_database());
end
$$;

-- an administrator that is no superuser may only make objects for a role that it is a member of
grant genesys_loader to current_user;

create schema if not exists genesys authorization genesys_loader;
create schema if not exists reporting authorization genesys_loader;
create schema if not exists etl authorization genesys_loader;

grant usage on schema genesys, reporting to genesys_reader;
-- On the tables only: a role that may read them reads their partitions through them, and a BI tool that lists what it may read would
-- show every month as a table of its own. genesys-etl takes this default from the partitions that it creates.
alter default privileges for role genesys_loader in schema genesys, reporting grant select on tables to genesys_reader;
do $$
declare
  item record;
begin
  for item in
    select c.oid::regclass as name, c.relispartition as is_partition from pg_class c
    where c.relnamespace in ('genesys'::regnamespace, 'reporting'::regnamespace) and c.relkind in ('r', 'p', 'v', 'm')
  loop
    if item.is_partition then
      execute format('revoke all on %s from genesys_reader', item.name);
    else
      execute format('grant select on %s to genesys_reader', item.name);
    end if;
  end loop;
end
$$;

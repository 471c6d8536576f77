-- Roles for genesys-etl. Run once as an administrator, in the database that will hold the conversations, before the first
-- migration:
--
--   psql "$ADMIN_URL" -f deploy/roles.sql
--   psql "$ADMIN_URL" -c '\password genesys_loader'
--   psql "$ADMIN_URL" -c '\password genesys_reader'
--   psql "$ADMIN_URL" -c '\password genesys_personal_reader'
--
-- genesys_loader migrates and loads: it owns the schemas, since only an owner can attach partitions.
-- genesys_reader reads schema genesys and reporting without personal data (addresses, names of customers, notes, participant attributes,
-- e-mail addresses of agents), and nothing else: for BI tools, or to be granted to their logins.
-- genesys_personal_reader reads the personal data as well.
--
-- An installation of a version in which genesys_reader saw everything: run this again, and then `genesys-etl migrate`, which takes the
-- personal columns from genesys_reader. If it is to see them as before, do this first:
--
--   create role genesys_personal_reader; grant genesys_personal_reader to genesys_reader;

do $$
declare
  name text;
begin
  foreach name in array array['genesys_loader', 'genesys_reader', 'genesys_personal_reader'] loop
    if not exists (select from pg_roles where rolname = name) then
      execute format('create role %I login', name);
    end if;
    execute format('grant connect on database %I to %I', current_database(), name);
  end loop;
  execute format('grant create on database %I to genesys_loader', current_database());
end
$$;

-- an administrator that is no superuser may only make objects for a role that it is a member of
grant genesys_loader to current_user;

create schema if not exists genesys authorization genesys_loader;
create schema if not exists reporting authorization genesys_loader;
create schema if not exists etl authorization genesys_loader;

grant usage on schema genesys, reporting to genesys_reader, genesys_personal_reader;
-- On the tables only: a role that may read them reads their partitions through them, and a BI tool that lists what it may read would
-- show every month as a table of its own. genesys-etl takes this default from the partitions that it creates.
alter default privileges for role genesys_loader in schema genesys, reporting grant select on tables to genesys_personal_reader;
alter default privileges for role genesys_loader in schema reporting grant select on tables to genesys_reader;

-- The views of schema reporting show null in personal columns to a role that may not read them in schema genesys. There, a default
-- privilege cannot leave out columns: migrate grants the columns that are not personal to the roles in this table, also those that later
-- versions add.
alter default privileges for role genesys_loader in schema genesys revoke select on tables from genesys_reader;
do $$
begin
  if to_regclass('etl.restricted_readers') is null then
    create table etl.restricted_readers (
      role_name text primary key,
      registered_at timestamptz not null default now()
    );
    alter table etl.restricted_readers owner to genesys_loader;
  end if;
end
$$;
insert into etl.restricted_readers (role_name)
select 'genesys_reader' where not pg_has_role('genesys_reader', 'genesys_personal_reader', 'usage')
on conflict do nothing;

do $$
declare
  item record;
begin
  for item in
    select c.oid::regclass as name, c.relispartition as is_partition, c.relnamespace = 'reporting'::regnamespace as is_report from pg_class c
    where c.relnamespace in ('genesys'::regnamespace, 'reporting'::regnamespace) and c.relkind in ('r', 'p', 'v', 'm')
  loop
    if item.is_partition then
      execute format('revoke all on %s from genesys_reader, genesys_personal_reader', item.name);
    else
      execute format('grant select on %s to genesys_personal_reader', item.name);
      if item.is_report then
        execute format('grant select on %s to genesys_reader', item.name);
      end if;
    end if;
  end loop;
  if exists (select from etl.restricted_readers where role_name = 'genesys_reader') then
    raise notice 'genesys_reader is to read no personal columns of schema genesys: run genesys-etl migrate now';
  end if;
end
$$;

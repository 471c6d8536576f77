create or replace function etl.lacks_agents(day date, zone text) returns boolean language sql stable parallel safe security definer set search_path = pg_catalog, pg_temp as $$
  select exists (
    select from etl.dropped_months m
    where etl.local_midnight(day, zone) < m.agents_until and etl.local_midnight(day + 1, zone) > m.month::timestamp at time zone 'UTC')
$$;
comment on function etl.lacks_agents(date, text) is
  'Whether a day of a time zone has intervals whose rows of agents were dropped with their month. Its rows of etl.agent_days stay as they are, since they cannot be computed any more.';

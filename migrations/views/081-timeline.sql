-- As its caller, whom the view shows personal columns or not. With the values in the plan, Postgres plans one month instead of all; it need
-- not search for an order of the joins, since everything is few rows by their key.
create or replace function reporting.timeline(conversation_id text) returns setof reporting.conversation_timeline
language plpgsql stable parallel safe rows 30 set search_path = pg_catalog, pg_temp set jit = off
set plan_cache_mode = force_custom_plan set join_collapse_limit = 1 as $$
declare
  started timestamptz := reporting.conversation_start($1);
begin
  return query
    select t.* from reporting.conversation_timeline t
    where t.conversation_id = $1 and t.conversation_start = started
    order by t.position;
end $$;
comment on function reporting.timeline(text) is
  'The events of one conversation in order, by its id alone; rows as reporting.conversation_timeline. No rows where it is not stored, or missing at Genesys.';

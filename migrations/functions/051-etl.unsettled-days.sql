-- A function, so that a query of reporting.freshness does not plan the partitions of the cells. There are few conversations that are not
-- final, and very many cells, so these are looked up for each (offset 0). Those of most days are short: the first one answers for all.
create or replace function etl.unsettled_days() returns setof date
language plpgsql stable parallel safe security definer rows 50 set search_path = pg_catalog, pg_temp set jit = off as $$
declare
  found_days date[];
  started date;
  emitted date;
  -- of later days nobody asks, and on the day after the last one nothing may be found in a whole day's conversations
  last_done date := (
    select (max(start) at time zone 'UTC')::date from etl.windows where stream = 'conversations' and status = 'done');
begin
  -- those that go on beyond the day of their start
  select coalesce(array_agg(distinct m.day), '{}') into found_days
  from etl.unsettled u
  cross join lateral (
    select (i.interval_start at time zone 'UTC')::date as day from etl.interval_cells i
    where i.conversation_id = u.conversation_id and i.conversation_start = u.conversation_start
    offset 0) m
  where u.ended_at is null or u.ended_at >= date_trunc('day', u.conversation_start, 'UTC') + interval '24 hours';
  -- the others, by the day of their start, newest first; some metrics come on the next day
  select (max(conversation_start) at time zone 'UTC')::date into started from etl.unsettled;
  while started is not null loop
    foreach emitted in array array[started, started + 1] loop
      if emitted <= last_done and emitted <> all(found_days) and exists (
        select from etl.unsettled u
        cross join lateral (
          select from etl.interval_cells i
          where i.conversation_id = u.conversation_id and i.conversation_start = u.conversation_start
            and i.interval_start >= emitted::timestamp at time zone 'UTC'
            and i.interval_start < (emitted + 1)::timestamp at time zone 'UTC'
          offset 0) m
        where u.conversation_start >= started::timestamp at time zone 'UTC'
          and u.conversation_start < (started + 1)::timestamp at time zone 'UTC')
      then
        found_days := found_days || emitted;
      end if;
    end loop;
    select (max(conversation_start) at time zone 'UTC')::date into started from etl.unsettled
    where conversation_start < started::timestamp at time zone 'UTC';
  end loop;
  return query select unnest(found_days);
end $$;
comment on function etl.unsettled_days() is
  'The UTC days, up to the last one that is done, in whose intervals conversations count that are not final.';

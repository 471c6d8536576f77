-- A function, so that a query on the views neither plans nor estimates the partitions of the cells while no hour is dirty. Stable: it
-- sees what the query sees.
create or replace function etl.dirty_cells(from_time timestamptz default '-infinity', to_time timestamptz default 'infinity')
returns setof etl.interval_cells language plpgsql stable parallel safe security definer rows 100 set search_path = pg_catalog, pg_temp set jit = off as $$
begin
  if not exists (select from etl.dirty_hours) then
    return;
  end if;
  return query
    select c.* from (
      select distinct hour from etl.dirty_hours where hour > from_time - interval '1 hour' and hour < to_time) d
    cross join lateral etl.hour_cells(d.hour) c
    where c.interval_start >= from_time and c.interval_start < to_time;
end $$;
comment on function etl.dirty_cells(timestamptz, timestamptz) is
  'The cells of the hours that are dirty, within [from_time, to_time): what the rows of etl.queue_intervals and etl.agent_intervals do not hold yet.';

-- Not a SQL-standard body: the function would hold on to the columns of the settings.
create or replace function reporting.service_level(answered double precision, over_service_level double precision,
  abandoned double precision, short_abandoned double precision, flow_outs double precision) returns double precision
language sql stable parallel safe as $$
  select (answered - over_service_level) / nullif(answered
    + case when s.service_level_includes_abandons then abandoned else 0 end
    - case when s.service_level_includes_abandons and not s.service_level_includes_short_abandons then short_abandoned else 0 end
    + case when s.service_level_includes_flow_outs then flow_outs else 0 end, 0)
  from reporting.settings s
$$;
comment on function reporting.service_level(double precision, double precision, double precision, double precision, double precision) is
  'Service level, 0 to 1: the answered that were answered in time, over answered and what the switches of reporting.settings include; null where that is 0.';

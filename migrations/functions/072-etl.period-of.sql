create or replace function etl.period_of(day date, granularity text, first_day_of_week integer) returns date
language sql immutable parallel safe
return case granularity when '1 day' then day when '1 week' then day - (extract(isodow from day)::integer - first_day_of_week + 7) % 7
  when '1 month' then date_trunc('month', day::timestamp)::date end;
comment on function etl.period_of(date, text, integer) is
  'First day of the week or month of a day, or the day itself; null for granularities of less than a day.';

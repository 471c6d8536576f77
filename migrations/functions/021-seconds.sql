create or replace function reporting.seconds(total_ms double precision, events double precision) returns double precision
language sql immutable parallel safe
return total_ms / nullif(events, 0) / 1000;
comment on function reporting.seconds(double precision, double precision) is
  'Mean in seconds of a total in milliseconds; null where there are no events. E.g. seconds(sum(handle_ms), sum(handled)).';

-- In SQL, so that Postgres puts it in place of the call: what is not selected costs nothing. An entry never begins before its conversation.
create or replace function reporting.waits_over(seconds double precision, from_time timestamptz, to_time timestamptz)
returns setof reporting.queue_entries
language sql stable parallel safe rows 1000 as $$
  select e.* from reporting.queue_entries e
  where e.wait_seconds > waits_over.seconds and e.entered_at >= waits_over.from_time and e.entered_at < waits_over.to_time
    and e.conversation_start < waits_over.to_time
$$;
comment on function reporting.waits_over(double precision, timestamptz, timestamptz) is
  'Queue entries that began in a period (from_time <= entered_at < to_time) and waited longer than so many seconds, as rows of reporting.queue_entries.';

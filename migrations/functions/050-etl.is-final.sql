-- Made of its parameters alone, so that Postgres puts it in place. In hours, since a day of a reader's time zone may have 23 of them.
create or replace function etl.is_final(conversation_end timestamptz, fetched_at timestamptz, settle_days integer) returns boolean
language sql stable parallel safe
return coalesce(fetched_at >= conversation_end + make_interval(hours => 24 * settle_days), false);
comment on function etl.is_final(timestamptz, timestamptz, integer) is
  'Whether a conversation is final: it has ended, and what is stored of it is current as of settle_days after its end or later.';

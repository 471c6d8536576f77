-- Day by day, so that a query of some days reads the facts of these alone; which days there are, the index of the starts tells. Which of
-- several media types came first, the facts do not: the order of the document is not that of time.
create or replace view reporting.conversations_daily as
with recursive days (day) as (
  select (min(conversation_start) at time zone 'UTC')::date from etl.conversations
  union all
  select (
    select (min(c.conversation_start) at time zone 'UTC')::date from etl.conversations c
    where c.conversation_start >= (d.day + 1)::timestamp at time zone 'UTC')
  from days d where d.day is not null
)
select d.day, f.media_type, f.direction, f.conversations, f.handled, f.average_handle_seconds
from days d
cross join lateral (
  select
    case when cardinality(c.media_types) > 1 then (
      select s.media_type
      from genesys.sessions s
      left join genesys.segments g
        on g.conversation_id = s.conversation_id and g.conversation_start = s.conversation_start and g._session_index = s._index
      where s.conversation_id = c.conversation_id and s.conversation_start = c.conversation_start and s.media_type is not null
      order by g.segment_start nulls last, s._index
      limit 1)
    else c.media_types[1] end as media_type,
    c.originating_direction as direction, count(*) as conversations, count(c.handled) as handled,
    round(sum(c.handle_ms) / nullif(sum(c.handled), 0) / 1000.0, 1) as average_handle_seconds
  from etl.conversation_facts c
  where c.conversation_start >= d.day::timestamp at time zone 'UTC'
    and c.conversation_start < (d.day + 1)::timestamp at time zone 'UTC'
  group by 1, 2) f;

comment on view reporting.conversations_daily is
  'Conversations, one row per UTC day of their start, media type and direction. Without those that Genesys has no more, and without those whose rows are not derived yet after an upgrade.';
comment on column reporting.conversations_daily.day is 'UTC day on which the conversations started.';
comment on column reporting.conversations_daily.media_type is 'Media type of the session whose first segment began first, of those that have one; null where none has.';
comment on column reporting.conversations_daily.direction is 'Direction of the first contact: inbound or outbound.';
comment on column reporting.conversations_daily.conversations is 'Conversations that started on the day.';
comment on column reporting.conversations_daily.handled is 'Of these, the ones that an agent handled: at least one tHandle.';
comment on column reporting.conversations_daily.average_handle_seconds is
  'Sum of all tHandle over their number (as Genesys computes the average handle time), in seconds.';

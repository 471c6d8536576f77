create or replace view reporting.conversations_daily as
select
  (c.conversation_start at time zone 'UTC')::date as day,
  s.media_type,
  c.originating_direction as direction,
  count(*) as conversations,
  count(*) filter (where m.handled > 0) as handled,
  round(sum(m.handle_ms) / nullif(sum(m.handled), 0) / 1000.0, 1) as average_handle_seconds
from genesys.conversations c
-- The order of the document is not that of time: first is the session whose first segment is, without one the last.
left join lateral (
  select f.media_type
  from genesys.sessions f
  left join genesys.segments g
    on g.conversation_id = f.conversation_id and g.conversation_start = f.conversation_start and g._session_index = f._index
  where f.conversation_id = c.conversation_id and f.conversation_start = c.conversation_start
  order by g.segment_start nulls last, f._index
  limit 1
) s on true
left join lateral (
  select count(*) as handled, sum(x.value) as handle_ms
  from genesys.session_metrics x
  where x.conversation_id = c.conversation_id and x.conversation_start = c.conversation_start and x.name = 'tHandle'
) m on true
where c._missing_since is null
group by 1, 2, 3;

comment on view reporting.conversations_daily is
  'Conversations by UTC day of their start, media type of the session that began first and direction. Without those that Genesys has no more.';
comment on column reporting.conversations_daily.day is 'UTC day on which the conversations started.';
comment on column reporting.conversations_daily.media_type is 'Media type of the session whose first segment began first; null where a conversation has none.';
comment on column reporting.conversations_daily.direction is 'Direction of the first contact: inbound or outbound.';
comment on column reporting.conversations_daily.conversations is 'Conversations that started on the day.';
comment on column reporting.conversations_daily.handled is 'Of these, the ones that an agent handled: at least one tHandle.';
comment on column reporting.conversations_daily.average_handle_seconds is
  'Sum of all tHandle over their number (as Genesys computes the average handle time), in seconds.';

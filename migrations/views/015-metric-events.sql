create or replace view reporting.metric_events as
select m.emit_date, m.name, m.value, m.conversation_id, m.conversation_start, s.session_id, m._session_index, a.queue_id, p.user_id, p.team_id,
  s.media_type, s.message_type, s.direction, c.originating_direction, s.outbound_campaign_id as campaign_id, p.purpose, c.division_ids, c._loaded_at as updated_at,
  coalesce(q.name, a.queue_id) as queue_name, coalesce(u.name, p.user_id) as user_name, coalesce(t.name, p.team_id) as team_name,
  coalesce(k.name, s.outbound_campaign_id) as campaign_name
from genesys.session_metrics m
join genesys.sessions s
  on s.conversation_id = m.conversation_id and s.conversation_start = m.conversation_start and s._index = m._session_index
join genesys.participants p
  on p.conversation_id = m.conversation_id and p.conversation_start = m.conversation_start and p._index = s._participant_index
join genesys.conversations c on c.conversation_id = m.conversation_id and c.conversation_start = m.conversation_start
-- The queue that the session was in: the last one that had begun, else the first. A segment without a start began before all others.
left join lateral (
  select g.queue_id
  from genesys.segments g
  cross join lateral (select coalesce(g.segment_start, '-infinity') as began) b
  where g.conversation_id = m.conversation_id and g.conversation_start = m.conversation_start and g._session_index = m._session_index
    and g.queue_id is not null
  order by case when b.began <= m.emit_date then b.began end desc nulls last,
    case when b.began <= m.emit_date then g._index end desc, b.began, g._index
  limit 1
) a on true
left join genesys.dim_queues q on q.id = a.queue_id
left join genesys.dim_users u on u.id = p.user_id
left join genesys.dim_teams t on t.id = p.team_id
left join genesys.dim_campaigns k on k.id = s.outbound_campaign_id
where m.value is not null and c._missing_since is null;

comment on view reporting.metric_events is
  'One row per metric that counts, with what it is attributed to: any grouping of metrics is a GROUP BY on it. Without conversations that Genesys has no more, as the intervals. Over long ranges the intervals are faster; a range of conversation_start lets it skip months.';
comment on column reporting.metric_events.emit_date is 'When Genesys counts the metric, wholly; null where it sent no readable time.';
comment on column reporting.metric_events.name is 'Name of the metric: t… is a duration in milliseconds, n… a count, o… an observation.';
comment on column reporting.metric_events.value is 'Value of the metric, never null.';
comment on column reporting.metric_events.conversation_id is 'The conversation.';
comment on column reporting.metric_events.conversation_start is 'Start of the conversation: the tables are partitioned by its month.';
comment on column reporting.metric_events.session_id is 'Session that carries the metric.';
comment on column reporting.metric_events._session_index is 'Position of the session in genesys.sessions.';
comment on column reporting.metric_events.queue_id is 'Queue that the session was in at emit_date: of the segment with a queue that had begun last, else of its first one; null where no segment of the session has a queue.';
comment on column reporting.metric_events.user_id is 'User of the participant of the session.';
comment on column reporting.metric_events.team_id is 'Team of the participant at the time of the conversation.';
comment on column reporting.metric_events.media_type is 'Media type of the session.';
comment on column reporting.metric_events.message_type is 'Kind of messaging of the session, e.g. sms or whatsapp.';
comment on column reporting.metric_events.direction is 'Direction of the session: inbound or outbound.';
comment on column reporting.metric_events.originating_direction is 'Direction in which the conversation began.';
comment on column reporting.metric_events.campaign_id is 'Outbound campaign of the session.';
comment on column reporting.metric_events.purpose is 'Purpose of the participant: customer, acd, agent, …';
comment on column reporting.metric_events.division_ids is 'Divisions of the conversation.';
comment on column reporting.metric_events.updated_at is 'When the conversation was last written, for incremental models.';
comment on column reporting.metric_events.queue_name is 'Name of the queue; its id where the name is unknown.';
comment on column reporting.metric_events.user_name is 'Name of the user; the id where the name is unknown.';
comment on column reporting.metric_events.team_name is 'Name of that team; its id where the name is unknown.';
comment on column reporting.metric_events.campaign_name is 'Name of the campaign; its id where the name is unknown.';

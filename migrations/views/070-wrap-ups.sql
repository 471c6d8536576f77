-- One conversation after the other (offset 0), so that a range of their start, their ids and updated_at decide what is read of the other
-- tables, too: Postgres would otherwise join all months of these.
create or replace view reporting.wrap_ups as
select c.conversation_id, c.conversation_start, c._loaded_at as updated_at, g._index, g._session_index, g.user_id,
  coalesce(u.name, g.user_id) as user_name, g.queue_id, coalesce(q.name, g.queue_id) as queue_name, g.media_type, g.direction,
  g.wrap_up_code as wrap_up_code_id, coalesce(w.name, g.wrap_up_code) as wrap_up_code_name, g.segment_start as started_at,
  g.segment_end as ended_at, extract(epoch from g.segment_end - g.segment_start)::double precision as duration_seconds, g.wrap_up_tags,
  case when (select etl.shows_personal()) then g.wrap_up_note end as wrap_up_note
from genesys.conversations c
cross join lateral (
  select g._index, g._session_index, p.user_id, g.queue_id, s.media_type, s.direction, g.wrap_up_code, g.segment_start, g.segment_end,
    g.wrap_up_tags, g.wrap_up_note
  from genesys.segments g
  join genesys.sessions s
    on s.conversation_id = g.conversation_id and s.conversation_start = g.conversation_start and s._index = g._session_index
  join genesys.participants p
    on p.conversation_id = g.conversation_id and p.conversation_start = g.conversation_start and p._index = g._participant_index
  where g.conversation_id = c.conversation_id and g.conversation_start = c.conversation_start and g.segment_type = 'wrapup'
  offset 0) g
left join genesys.dim_users u on u.id = g.user_id
left join genesys.dim_queues q on q.id = g.queue_id
left join genesys.dim_wrap_up_codes w on w.id = g.wrap_up_code
where c._missing_since is null;

comment on view reporting.wrap_ups is
  'One row per wrap-up segment: the after-call work of an agent after one session, with its code. Without conversations that Genesys has no more. Times are those of the segment: take the after-call time of KPIs from tAcw (acw_ms of the intervals).';
comment on column reporting.wrap_ups.conversation_id is 'The conversation.';
comment on column reporting.wrap_ups.conversation_start is 'Its start: the tables are partitioned by its month.';
comment on column reporting.wrap_ups.updated_at is 'When the conversation was last written, for incremental models.';
comment on column reporting.wrap_ups._index is 'Position of the segment in genesys.segments.';
comment on column reporting.wrap_ups._session_index is 'Position of its session in genesys.sessions.';
comment on column reporting.wrap_ups.user_id is 'The agent.';
comment on column reporting.wrap_ups.user_name is 'Name of the agent; the id where the name is unknown.';
comment on column reporting.wrap_ups.queue_id is 'Queue of the segment; null where the work belonged to none.';
comment on column reporting.wrap_ups.queue_name is 'Name of the queue; the id where the name is unknown.';
comment on column reporting.wrap_ups.media_type is 'Media type of the session.';
comment on column reporting.wrap_ups.direction is 'Direction of the session.';
comment on column reporting.wrap_ups.wrap_up_code_id is 'The code, or a word of the system such as ININ-WRAP-UP-TIMEOUT; null where none was set, or not yet.';
comment on column reporting.wrap_ups.wrap_up_code_name is 'Name of the code; the id where the name is unknown.';
comment on column reporting.wrap_ups.started_at is 'When the after-call work began.';
comment on column reporting.wrap_ups.ended_at is 'When it ended; null: it goes on.';
comment on column reporting.wrap_ups.duration_seconds is 'From started_at to ended_at, in seconds.';
comment on column reporting.wrap_ups.wrap_up_tags is 'Tags that the agent set.';
comment on column reporting.wrap_ups.wrap_up_note is 'Note that the agent wrote. Personal: null for roles that may not read it.';

create or replace view reporting.agent_sessions as
select x.conversation_id, x.conversation_start, x._session_index, x.user_id, coalesce(u.name, x.user_id) as user_name,
  x.queue_id, coalesce(q.name, x.queue_id) as queue_name, x.media_type, x.direction, x.alerted_at, x.answered_at, x.ended_at,
  x.alert_ms::double precision / 1000 as alert_seconds, x.talk_ms::double precision / 1000 as talk_seconds,
  x.hold_ms::double precision / 1000 as hold_seconds, x.acw_ms::double precision / 1000 as acw_seconds,
  x.handle_ms::double precision / 1000 as handle_seconds, x.is_answered, coalesce(x.transferred, 0) as transferred,
  x.wrap_up_code_id, coalesce(w.name, x.wrap_up_code_id) as wrap_up_code_name,
  -- by its key, row by row: a join would tempt Postgres to read every month
  case when x.wrap_up_note_index is not null and (select etl.shows_personal()) then (
    select g.wrap_up_note from genesys.segments g
    where g.conversation_id = x.conversation_id and g.conversation_start = x.conversation_start and g._index = x.wrap_up_note_index) end as wrap_up_note,
  x.disconnect_type, x.campaign_id, coalesce(c.name, x.campaign_id) as campaign_name, x.updated_at
from etl.agent_sessions x
left join genesys.dim_users u on u.id = x.user_id
left join genesys.dim_queues q on q.id = x.queue_id
left join genesys.dim_wrap_up_codes w on w.id = x.wrap_up_code_id
left join genesys.dim_campaigns c on c.id = x.campaign_id;

comment on view reporting.agent_sessions is
  'One row per session of an agent (a participant of purpose agent or user) in a conversation, answered or not. Without what reporting.conversations leaves out. An agent can have several in one conversation, of different queues and media.';
comment on column reporting.agent_sessions.conversation_id is 'The conversation.';
comment on column reporting.agent_sessions.conversation_start is
  'Start of the conversation. The tables are partitioned by its month: a range of it lets a query skip the other months.';
comment on column reporting.agent_sessions._session_index is 'Position of the session in genesys.sessions.';
comment on column reporting.agent_sessions.user_id is 'The agent.';
comment on column reporting.agent_sessions.user_name is 'Name of the agent; the id where the name is unknown.';
comment on column reporting.agent_sessions.queue_id is 'Queue that the session belongs to: that of its last segment with a queue; null: none.';
comment on column reporting.agent_sessions.queue_name is 'Name of the queue; its id where the name is unknown.';
comment on column reporting.agent_sessions.media_type is 'Media type of the session.';
comment on column reporting.agent_sessions.direction is 'Direction of the session: inbound or outbound.';
comment on column reporting.agent_sessions.alerted_at is 'When it began to alert; null: it did not.';
comment on column reporting.agent_sessions.answered_at is
  'When the agent was connected: start of the first interact segment, or tAnswered where there is none; null: not connected.';
comment on column reporting.agent_sessions.ended_at is 'The latest end of its segments, after-call work included; null: it is open.';
comment on column reporting.agent_sessions.alert_seconds is 'Sum of tAlert; null: there is none.';
comment on column reporting.agent_sessions.talk_seconds is 'Sum of tTalkComplete; null: there is none, so that avg() is the average talk time.';
comment on column reporting.agent_sessions.hold_seconds is 'Sum of tHeldComplete; null: there is none, so add it up with coalesce.';
comment on column reporting.agent_sessions.acw_seconds is 'Sum of tAcw; null: there is none. An agent who did not answer can have some.';
comment on column reporting.agent_sessions.handle_seconds is 'Sum of tHandle; null: there is none, so that avg() is the average handle time.';
comment on column reporting.agent_sessions.is_answered is 'True: the agent was connected (tTalkComplete, tTalk or an interact segment).';
comment on column reporting.agent_sessions.transferred is 'Transfers by the agent: sum of nTransferred.';
comment on column reporting.agent_sessions.wrap_up_code_id is 'The last wrap-up code of the session; null: none was set.';
comment on column reporting.agent_sessions.wrap_up_code_name is 'Name of that wrap-up code; its id where the name is unknown.';
comment on column reporting.agent_sessions.wrap_up_note is
  'The last note that the agent wrote about the contact; null: none, or hidden from the role that asks. Personal data.';
comment on column reporting.agent_sessions.disconnect_type is
  'Who or what ended the contact of the session, by its last segment that says so: client (the agent), peer (the other side), system, transfer, …';
comment on column reporting.agent_sessions.campaign_id is 'Outbound campaign of the session; null: none.';
comment on column reporting.agent_sessions.campaign_name is 'Name of that campaign; its id where the name is unknown.';
comment on column reporting.agent_sessions.updated_at is
  'When the row was written: with the last load that changed the conversation, or when it was derived again after an upgrade. A changed name does not move it.';

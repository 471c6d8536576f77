-- One conversation after the other (offset 0): see 070-wrap-ups.sql.
create or replace view reporting.flows as
select c.conversation_id, c.conversation_start, c._loaded_at as updated_at, f._index, f._session_index, f.purpose, f.media_type, f.direction,
  f.flow_id, coalesce(d.name, f.flow_name, f.flow_id) as flow_name, f.flow_type, f.flow_version, f.started_at, f.ended_at, f.flow_seconds,
  f.entry_type, case when (select etl.shows_personal()) then f.entry_reason end as entry_reason, f.exit_reason, f.transfer_type,
  case when (select etl.shows_personal()) then f.transfer_target_name end as transfer_target_name,
  case when (select etl.shows_personal()) then f.transfer_target_address end as transfer_target_address, f.starting_language,
  f.ending_language, f.issued_callback, f.recognition_failure_reason
from genesys.conversations c
cross join lateral (
  select f.*, p.purpose, s.media_type, s.direction, t.started_at, t.ended_at, m.flow_seconds
  from genesys.flows f
  join genesys.sessions s
    on s.conversation_id = f.conversation_id and s.conversation_start = f.conversation_start and s._index = f._session_index
  join genesys.participants p
    on p.conversation_id = f.conversation_id and p.conversation_start = f.conversation_start and p._index = f._participant_index
  cross join lateral (
    select min(g.segment_start) as started_at, case when count(*) = count(g.segment_end) then max(g.segment_end) end as ended_at
    from genesys.segments g
    where g.conversation_id = f.conversation_id and g.conversation_start = f.conversation_start and g._session_index = f._session_index) t
  cross join lateral (
    select sum(m.value)::double precision / 1000 as flow_seconds
    from genesys.session_metrics m
    where m.conversation_id = f.conversation_id and m.conversation_start = f.conversation_start and m._session_index = f._session_index
      and m.name = 'tFlow') m
  where f.conversation_id = c.conversation_id and f.conversation_start = c.conversation_start
  offset 0) f
left join genesys.dim_flows d on d.id = f.flow_id
where c._missing_since is null;

comment on view reporting.flows is
  'One row per session that ran an Architect flow: IVR, bot, in-queue flow, workflow, survey. Without conversations that Genesys has no more. In-queue flows are listed on the session of the queue, without exit and without flow_seconds: count executions by the metric nFlow.';
comment on column reporting.flows.conversation_id is 'The conversation.';
comment on column reporting.flows.conversation_start is 'Its start: the tables are partitioned by its month.';
comment on column reporting.flows.updated_at is 'When the conversation was last written, for incremental models.';
comment on column reporting.flows._index is 'Position of the flow in genesys.flows.';
comment on column reporting.flows._session_index is 'Position of its session in genesys.sessions.';
comment on column reporting.flows.purpose is 'Purpose of the participant: ivr, botflow, workflow, voicesurveyflow; acd of an in-queue flow.';
comment on column reporting.flows.media_type is 'Media type of the session.';
comment on column reporting.flows.direction is 'Direction of the session.';
comment on column reporting.flows.flow_id is 'The flow.';
comment on column reporting.flows.flow_name is 'Name of the flow; the one at that time where the present one is unknown, else the id.';
comment on column reporting.flows.flow_type is 'Kind of the flow: INBOUNDCALL, DIGITALBOT, INQUEUECALL, …';
comment on column reporting.flows.flow_version is 'Published version of the flow.';
comment on column reporting.flows.started_at is 'Start of the first segment of the session.';
comment on column reporting.flows.ended_at is 'End of its last segment; null while one is open.';
comment on column reporting.flows.flow_seconds is 'Sum of the tFlow of the session, in seconds; null without one.';
comment on column reporting.flows.entry_type is 'How the contact came in: agent, direct, dnis, flow, outbound.';
comment on column reporting.flows.entry_reason is 'What brought it in: an address, a user or another flow. Personal: null for roles that may not read it.';
comment on column reporting.flows.exit_reason is 'How the flow ended, e.g. DISCONNECT, TRANSFER; null while it runs.';
comment on column reporting.flows.transfer_type is 'Kind of the transfer that ended it, e.g. ACD, EXTERNAL; null without one.';
comment on column reporting.flows.transfer_target_name is 'Name of the target. Personal: null for roles that may not read it.';
comment on column reporting.flows.transfer_target_address is 'A number, an e-mail address or the id of a queue. Personal: null for roles that may not read it.';
comment on column reporting.flows.starting_language is 'Language at the start.';
comment on column reporting.flows.ending_language is 'Language at the end.';
comment on column reporting.flows.issued_callback is 'Whether the flow created a callback.';
comment on column reporting.flows.recognition_failure_reason is 'Why recognition gave up, where that ended the flow.';

-- One conversation after the other (offset 0): see 070-wrap-ups.sql.
create or replace view reporting.flow_outcomes as
select c.conversation_id, c.conversation_start, c._loaded_at as updated_at, o._index, o._session_index, o.flow_id,
  coalesce(d.name, o.flow_name, o.flow_id) as flow_name, o.flow_type, o.media_type, o.direction, o.flow_outcome_id,
  coalesce(n.name, o.flow_outcome_id) as flow_outcome_name, o.flow_outcome_value, o.flow_outcome_start_timestamp as started_at,
  o.flow_outcome_end_timestamp as ended_at,
  extract(epoch from o.flow_outcome_end_timestamp - o.flow_outcome_start_timestamp)::double precision as duration_seconds
from genesys.conversations c
cross join lateral (
  select o.*, f.flow_id, f.flow_name, f.flow_type, s.media_type, s.direction
  from genesys.flow_outcomes o
  join genesys.flows f
    on f.conversation_id = o.conversation_id and f.conversation_start = o.conversation_start and f._session_index = o._session_index
  join genesys.sessions s
    on s.conversation_id = o.conversation_id and s.conversation_start = o.conversation_start and s._index = o._session_index
  where o.conversation_id = c.conversation_id and o.conversation_start = c.conversation_start
  offset 0) o
left join genesys.dim_flows d on d.id = o.flow_id
left join genesys.dim_flow_outcomes n on n.id = o.flow_outcome_id
where c._missing_since is null;

comment on view reporting.flow_outcomes is
  'One row per outcome (a goal defined in Architect) that a flow reached or missed. Without conversations that Genesys has no more.';
comment on column reporting.flow_outcomes.conversation_id is 'The conversation.';
comment on column reporting.flow_outcomes.conversation_start is 'Its start: the tables are partitioned by its month.';
comment on column reporting.flow_outcomes.updated_at is 'When the conversation was last written, for incremental models.';
comment on column reporting.flow_outcomes._index is 'Position of the outcome in genesys.flow_outcomes.';
comment on column reporting.flow_outcomes._session_index is 'Position of its session in genesys.sessions.';
comment on column reporting.flow_outcomes.flow_id is 'The flow.';
comment on column reporting.flow_outcomes.flow_name is 'Name of the flow; the one at that time where the present one is unknown, else the id.';
comment on column reporting.flow_outcomes.flow_type is 'Kind of the flow: INBOUNDCALL, DIGITALBOT, …';
comment on column reporting.flow_outcomes.media_type is 'Media type of the session.';
comment on column reporting.flow_outcomes.direction is 'Direction of the session.';
comment on column reporting.flow_outcomes.flow_outcome_id is 'The outcome.';
comment on column reporting.flow_outcomes.flow_outcome_name is 'Name of the outcome; the id where the name is unknown.';
comment on column reporting.flow_outcomes.flow_outcome_value is 'What came of it: SUCCESS, FAILURE, …';
comment on column reporting.flow_outcomes.started_at is 'When the flow began to work towards it.';
comment on column reporting.flow_outcomes.ended_at is 'When it was decided; null while it is open.';
comment on column reporting.flow_outcomes.duration_seconds is 'From started_at to ended_at, in seconds.';

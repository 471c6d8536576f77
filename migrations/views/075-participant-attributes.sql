-- One conversation after the other (offset 0): see 070-wrap-ups.sql. What is no JSON object has no keys.
create or replace view reporting.participant_attributes as
select c.conversation_id, c.conversation_start, c._loaded_at as updated_at, a._participant_index, a.participant_id, a.purpose, a.user_id,
  coalesce(u.name, a.user_id) as user_name, a.key, case when (select etl.shows_personal()) then a.value end as value
from genesys.conversations c
cross join lateral (
  select a._participant_index, a.participant_id, p.purpose, p.user_id, k.key, k.value
  from genesys.participant_attributes a
  join genesys.participants p
    on p.conversation_id = a.conversation_id and p.conversation_start = a.conversation_start and p._index = a._participant_index
  cross join lateral jsonb_each_text(case when jsonb_typeof(a.attributes) = 'object' then a.attributes else '{}' end) k
  where a.conversation_id = c.conversation_id and a.conversation_start = c.conversation_start
  offset 0) a
left join genesys.dim_users u on u.id = a.user_id
where c._missing_since is null;

comment on view reporting.participant_attributes is
  'One row per participant and key of the data that flows, scripts and integrations attached. Only details jobs deliver it, a day or more after the conversation (HISTORY_ATTRIBUTES). Without conversations that Genesys has no more.';
comment on column reporting.participant_attributes.conversation_id is 'The conversation.';
comment on column reporting.participant_attributes.conversation_start is 'Its start: the tables are partitioned by its month.';
comment on column reporting.participant_attributes.updated_at is 'When the conversation was last written, for incremental models; attributes that come later move it, too.';
comment on column reporting.participant_attributes._participant_index is 'Position of the participant in genesys.participants.';
comment on column reporting.participant_attributes.participant_id is 'The participant.';
comment on column reporting.participant_attributes.purpose is 'Purpose of the participant: customer, agent, …';
comment on column reporting.participant_attributes.user_id is 'User of the participant; null for customers, queues and flows.';
comment on column reporting.participant_attributes.user_name is 'Name of the user; the id where the name is unknown.';
comment on column reporting.participant_attributes.key is 'Name of the attribute.';
comment on column reporting.participant_attributes.value is 'Its text. Personal: null for roles that may not read it.';

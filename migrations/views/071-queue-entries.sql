create or replace view reporting.queue_entries as
select x.conversation_id, x.conversation_start, x._session_index, x.queue_id, coalesce(q.name, x.queue_id) as queue_name, x.media_type, x.direction,
  x.entered_at, x.left_at, x.wait_ms::double precision / 1000 as wait_seconds,
  x.answered_by_user_id, coalesce(u.name, x.answered_by_user_id) as answered_by_user_name, coalesce(x.over_service_level, 0) as over_service_level,
  case when x.requested_skill_ids is not null then (
    select array_agg(coalesce((select s.name from genesys.dim_skills s where s.id = r.id), r.id) order by r.place)
    from unnest(x.requested_skill_ids) with ordinality r (id, place)) end as requested_skills,
  coalesce(l.name, x.requested_language_id) as requested_language, null::bigint as priority, x.outcome, x.updated_at,
  x.requested_skill_ids, x.requested_language_id
from etl.queue_entries x
left join genesys.dim_queues q on q.id = x.queue_id
left join genesys.dim_users u on u.id = x.answered_by_user_id
left join genesys.dim_languages l on l.id = x.requested_language_id;

comment on view reporting.queue_entries is
  'One row per entry of a conversation into a queue (acd session): how long it waited, and what came of it. Without what reporting.conversations leaves out. By queue and outcome it adds up to what the interval views count, apart from what they attribute to other intervals.';
comment on column reporting.queue_entries.conversation_id is 'The conversation.';
comment on column reporting.queue_entries.conversation_start is
  'Start of the conversation. The tables are partitioned by its month: a range of it lets a query skip the other months.';
comment on column reporting.queue_entries._session_index is 'Position of the session in genesys.sessions.';
comment on column reporting.queue_entries.queue_id is 'The queue; null: none is known.';
comment on column reporting.queue_entries.queue_name is 'Its name; its id where the name is unknown.';
comment on column reporting.queue_entries.media_type is 'Media type of the session.';
comment on column reporting.queue_entries.direction is 'Direction of the session: inbound or outbound.';
comment on column reporting.queue_entries.entered_at is 'When it began to wait: start of the first segment of the session.';
comment on column reporting.queue_entries.left_at is 'When it left the queue: the latest end of its segments; null: it is still there.';
comment on column reporting.queue_entries.wait_seconds is 'How long it waited: tAcd; null: the wait has not ended, or Genesys has not counted it.';
comment on column reporting.queue_entries.answered_by_user_id is 'Agent who answered; null: outcome is not answered.';
comment on column reporting.queue_entries.answered_by_user_name is 'Name of that agent; the id where the name is unknown.';
comment on column reporting.queue_entries.over_service_level is
  '1: answered later than the target of the queue allowed; sum of nOverSla of the session, and of the one that answered.';
comment on column reporting.queue_entries.requested_skills is 'Skills that were asked for, by name; the id where the name is unknown; null: none.';
comment on column reporting.queue_entries.requested_language is
  'Language that was asked for, by name; the id where the name is unknown; null: none.';
comment on column reporting.queue_entries.priority is
  'Always null: Genesys'' conversation details do not carry the priority. The column is there for when they do.';
comment on column reporting.queue_entries.outcome is
  'What came of it, the first that applies: short_abandoned, abandoned, flow_out, answered (by the agent whose tAnswered was emitted within a second of its tAcd; else by the agent of the same queue who was connected first before the next queue entry), waiting (it is still there), other (e.g. the contact was transferred, or a message left the queue unanswered).';
comment on column reporting.queue_entries.updated_at is
  'When the row was written: with the last load that changed the conversation, or when it was derived again after an upgrade. A changed name does not move it.';
comment on column reporting.queue_entries.requested_skill_ids is 'The ids of requested_skills.';
comment on column reporting.queue_entries.requested_language_id is 'The id of requested_language.';

create or replace view reporting.long_waits as
select conversation_id, conversation_start, _session_index, queue_id, queue_name, media_type, direction, entered_at, left_at, wait_seconds,
  answered_by_user_id, answered_by_user_name, over_service_level, requested_skills, requested_language, priority, outcome, updated_at, requested_skill_ids, requested_language_id
from reporting.queue_entries
where wait_seconds > 300;

comment on view reporting.long_waits is
  'Queue entries that waited longer than 300 seconds, however they ended; one row each, as in reporting.queue_entries. For other limits: reporting.waits_over.';
comment on column reporting.long_waits.conversation_id is 'The conversation.';
comment on column reporting.long_waits.conversation_start is
  'Start of the conversation. The tables are partitioned by its month: a range of it lets a query skip the other months.';
comment on column reporting.long_waits._session_index is 'Position of the session in genesys.sessions.';
comment on column reporting.long_waits.queue_id is 'The queue; null: none is known.';
comment on column reporting.long_waits.queue_name is 'Its name; its id where the name is unknown.';
comment on column reporting.long_waits.media_type is 'Media type of the session.';
comment on column reporting.long_waits.direction is 'Direction of the session: inbound or outbound.';
comment on column reporting.long_waits.entered_at is 'When it began to wait: start of the first segment of the session.';
comment on column reporting.long_waits.left_at is 'When it left the queue: the latest end of its segments; null: it is still there.';
comment on column reporting.long_waits.wait_seconds is 'How long it waited: tAcd; null: the wait has not ended, or Genesys has not counted it.';
comment on column reporting.long_waits.answered_by_user_id is 'Agent who answered; null: outcome is not answered.';
comment on column reporting.long_waits.answered_by_user_name is 'Name of that agent; the id where the name is unknown.';
comment on column reporting.long_waits.over_service_level is
  '1: answered later than the target of the queue allowed; sum of nOverSla of the session, and of the one that answered.';
comment on column reporting.long_waits.requested_skills is 'Skills that were asked for, by name; the id where the name is unknown; null: none.';
comment on column reporting.long_waits.requested_language is 'Language that was asked for, by name; the id where the name is unknown; null: none.';
comment on column reporting.long_waits.priority is
  'Always null: Genesys'' conversation details do not carry the priority. The column is there for when they do.';
comment on column reporting.long_waits.outcome is
  'What came of it, the first that applies: short_abandoned, abandoned, flow_out, answered (by the agent whose tAnswered was emitted within a second of its tAcd; else by the agent of the same queue who was connected first before the next queue entry), waiting (it is still there), other (e.g. the contact was transferred, or a message left the queue unanswered).';
comment on column reporting.long_waits.updated_at is
  'When the row was written: with the last load that changed the conversation, or when it was derived again after an upgrade. A changed name does not move it.';
comment on column reporting.long_waits.requested_skill_ids is 'The ids of requested_skills.';
comment on column reporting.long_waits.requested_language_id is 'The id of requested_language.';

create or replace view reporting.conversations as
select f.conversation_id, f.conversation_start, f.conversation_end, f.conversation_end is null as is_open,
  etl.is_final(f.conversation_end, e.fetched_at, (select settle_days from reporting.settings)) as is_final,
  f.originating_direction, f.media_type, f.media_types, f.message_type, f.division_ids,
  f.first_queue_id, coalesce(fq.name, f.first_queue_id) as first_queue_name, f.last_queue_id, coalesce(lq.name, f.last_queue_id) as last_queue_name,
  f.queue_count, f.first_user_id, coalesce(fu.name, f.first_user_id) as first_user_name, f.last_user_id, coalesce(lu.name, f.last_user_id) as last_user_name,
  f.agent_count, f.customer_end, extract(epoch from f.conversation_end - f.conversation_start)::double precision as duration_seconds,
  f.ivr_ms::double precision / 1000 as ivr_seconds, f.wait_ms::double precision / 1000 as wait_seconds, f.talk_ms::double precision / 1000 as talk_seconds,
  f.hold_ms::double precision / 1000 as hold_seconds, f.acw_ms::double precision / 1000 as acw_seconds, f.handle_ms::double precision / 1000 as handle_seconds,
  coalesce(f.offered, 0) as offered, coalesce(f.answered, 0) as answered, coalesce(f.abandoned, 0) as abandoned,
  coalesce(f.short_abandoned, 0) as short_abandoned, coalesce(f.flow_outs, 0) as flow_outs, coalesce(f.transferred, 0) as transferred,
  coalesce(f.blind_transferred, 0) as blind_transferred, coalesce(f.consult_transferred, 0) as consult_transferred,
  f.answered is not null as is_answered, f.abandoned is not null and f.answered is null as is_abandoned,
  f.wrap_up_code_id, coalesce(w.name, f.wrap_up_code_id) as wrap_up_code_name, f.disconnect_type, f.survey_score, f.evaluation_score,
  case when (select etl.shows_personal()) then f.customer_address end as customer_address, f.loaded_at, f.updated_at
from etl.conversation_facts f
left join etl.conversations e on e.conversation_id = f.conversation_id and e.conversation_start = f.conversation_start
left join genesys.dim_queues fq on fq.id = f.first_queue_id
left join genesys.dim_queues lq on lq.id = f.last_queue_id
left join genesys.dim_users fu on fu.id = f.first_user_id
left join genesys.dim_users lu on lu.id = f.last_user_id
left join genesys.dim_wrap_up_codes w on w.id = f.wrap_up_code_id;

comment on view reporting.conversations is
  'One row per conversation: who took part, how long it took, and how it ended. Without conversations that Genesys has no more, and without those whose rows are not derived yet after an upgrade. Its numbers fall into several intervals: KPIs by time of day come from the interval views.';
comment on column reporting.conversations.conversation_id is 'Id of the conversation.';
comment on column reporting.conversations.conversation_start is
  'Start of the conversation. The tables are partitioned by its month: a range of it lets a query skip the other months.';
comment on column reporting.conversations.conversation_end is 'Its end, after-call work included; null: it is open.';
comment on column reporting.conversations.is_open is 'True: it has not ended. A thread of e-mail or messages can be open again after it had ended.';
comment on column reporting.conversations.is_final is
  'True: it has ended, and Genesys was asked settle_days after its end or later (reporting.settings), so that it is not expected to change any more.';
comment on column reporting.conversations.originating_direction is 'Direction of the first contact: inbound or outbound.';
comment on column reporting.conversations.media_type is
  'Media type of the customer''s first session, else of the first session: voice, chat, email, message, callback, …';
comment on column reporting.conversations.media_types is 'The different media types of all its sessions, sorted.';
comment on column reporting.conversations.message_type is 'Kind of messaging of the session that media_type is of, e.g. sms or webmessaging.';
comment on column reporting.conversations.division_ids is
  'Divisions that it touched. A conversation in several divisions is one row, so unnest before grouping by division.';
comment on column reporting.conversations.first_queue_id is 'Queue that it entered first; null: none.';
comment on column reporting.conversations.first_queue_name is 'Name of that queue; its id where the name is unknown.';
comment on column reporting.conversations.last_queue_id is 'Queue that it was in last; null: none.';
comment on column reporting.conversations.last_queue_name is 'Name of that queue; its id where the name is unknown.';
comment on column reporting.conversations.queue_count is 'How many different queues it entered.';
comment on column reporting.conversations.first_user_id is 'Agent who was connected first; null: none was.';
comment on column reporting.conversations.first_user_name is 'Name of that agent; the id where the name is unknown.';
comment on column reporting.conversations.last_user_id is 'Agent who was connected last; null: none was.';
comment on column reporting.conversations.last_user_name is 'Name of that agent; the id where the name is unknown.';
comment on column reporting.conversations.agent_count is 'How many different agents were connected.';
comment on column reporting.conversations.customer_end is
  'When the customer left: the latest end of the customer''s sessions; null while one of them is open.';
comment on column reporting.conversations.duration_seconds is 'From its start to its end, after-call work included; null: it is open.';
comment on column reporting.conversations.ivr_seconds is 'Time in IVRs: sum of tIvr; null: there is none.';
comment on column reporting.conversations.wait_seconds is 'Time in queues: sum of tAcd; null: there is none.';
comment on column reporting.conversations.talk_seconds is 'Talk time of all agents: sum of tTalkComplete; null: there is none.';
comment on column reporting.conversations.hold_seconds is
  'Hold time of all agents: sum of tHeldComplete; null: there is none, so add it up with coalesce.';
comment on column reporting.conversations.acw_seconds is 'After-call work of all agents: sum of tAcw; null: there is none.';
comment on column reporting.conversations.handle_seconds is 'Handle time of all agents: sum of tHandle; null: there is none.';
comment on column reporting.conversations.offered is 'Entries into queues: sum of nOffered.';
comment on column reporting.conversations.answered is 'Queue entries that were answered: number of tAnswered.';
comment on column reporting.conversations.abandoned is
  'Queue entries that ended with the customer leaving, short ones included: number of tAbandon.';
comment on column reporting.conversations.short_abandoned is 'Those of them within the time that counts as short: number of tShortAbandon.';
comment on column reporting.conversations.flow_outs is 'Queue entries that a flow took out of the queue: number of tFlowOut.';
comment on column reporting.conversations.transferred is 'Transfers, blind and consult ones: sum of nTransferred.';
comment on column reporting.conversations.blind_transferred is 'Transfers without consultation: sum of nBlindTransferred.';
comment on column reporting.conversations.consult_transferred is 'Transfers after consultation: sum of nConsultTransferred.';
comment on column reporting.conversations.is_answered is
  'True: at least one queue entry was answered (tAnswered). Contacts that reach an agent without a queue are not.';
comment on column reporting.conversations.is_abandoned is
  'True: at least one queue entry was abandoned (tAbandon), and none was answered. Web messaging has no abandons.';
comment on column reporting.conversations.wrap_up_code_id is 'The last wrap-up code of the conversation; null: none was set.';
comment on column reporting.conversations.wrap_up_code_name is 'Name of that wrap-up code; its id where the name is unknown.';
comment on column reporting.conversations.disconnect_type is
  'Who or what ended the customer''s last segment: client (the customer), peer (the other side), system, transfer, …';
comment on column reporting.conversations.survey_score is 'Score in percent of the latest survey, by its event_time, that has one.';
comment on column reporting.conversations.evaluation_score is
  'Score in percent of the latest evaluation, by its event_time, that has one; also where it was deleted or belongs to a calibration, which genesys.evaluations tells.';
comment on column reporting.conversations.customer_address is
  'Address of the customer in one spelling, to recognize them again: of the customer''s sessions, the first that has one, dnis or address_to where the session is outbound, else ani or address_from, then address_self and callback_numbers. Null: none, withheld, or hidden from the role that asks. Personal data.';
comment on column reporting.conversations.loaded_at is 'When the content that it comes from was loaded.';
comment on column reporting.conversations.updated_at is
  'When the row was written: with the last load that changed the conversation, or when it was derived again after an upgrade. A changed name does not move it.';

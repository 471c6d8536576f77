-- Clean hours come from what is added up, dirty ones from the cells: a reader sees the cells of a load and its dirty marks together.
create or replace view reporting.agent_intervals as
select x.interval_start, x.queue_id, x.user_id, x.media_type, x.direction, x.originating_direction, coalesce(q.name, x.queue_id) as queue_name, coalesce(u.name, x.user_id) as user_name,
  t.name as team_name, x.updated_at,
  coalesce(x.offered, 0) as offered, coalesce(x.over_service_level, 0) as over_service_level,
  coalesce(x.transferred, 0) as transferred, coalesce(x.blind_transferred, 0) as blind_transferred,
  coalesce(x.consult_transferred, 0) as consult_transferred, coalesce(x.consults, 0) as consults,
  coalesce(x.outbound, 0) as outbound, coalesce(x.outbound_attempted, 0) as outbound_attempted,
  coalesce(x.outbound_connected, 0) as outbound_connected, coalesce(x.outbound_abandoned, 0) as outbound_abandoned,
  coalesce(x.connected, 0) as connected, coalesce(x.errors, 0) as errors, coalesce(x.answered, 0) as answered,
  coalesce(x.answer_ms, 0) as answer_ms, x.answer_ms_max, coalesce(x.abandoned, 0) as abandoned,
  coalesce(x.abandon_ms, 0) as abandon_ms, x.abandon_ms_max, coalesce(x.short_abandoned, 0) as short_abandoned,
  coalesce(x.flow_outs, 0) as flow_outs, coalesce(x.waits, 0) as waits, coalesce(x.wait_ms, 0) as wait_ms, x.wait_ms_max,
  coalesce(x.handled, 0) as handled, coalesce(x.handle_ms, 0) as handle_ms, x.handle_ms_max, coalesce(x.talks, 0) as talks,
  coalesce(x.talk_ms, 0) as talk_ms, coalesce(x.holds, 0) as holds, coalesce(x.hold_ms, 0) as hold_ms,
  coalesce(x.acws, 0) as acws, coalesce(x.acw_ms, 0) as acw_ms, coalesce(x.alerts, 0) as alerts,
  coalesce(x.alert_ms, 0) as alert_ms, coalesce(x.not_responding, 0) as not_responding,
  coalesce(x.not_responding_ms, 0) as not_responding_ms, coalesce(x.dialing, 0) as dialing,
  coalesce(x.dialing_ms, 0) as dialing_ms, coalesce(x.contacting, 0) as contacting, coalesce(x.contacting_ms, 0) as contacting_ms,
  coalesce(x.voicemails, 0) as voicemails, coalesce(x.voicemail_ms, 0) as voicemail_ms,
  coalesce(x.agent_responses, 0) as agent_responses, coalesce(x.agent_response_ms, 0) as agent_response_ms,
  coalesce(x.user_responses, 0) as user_responses, coalesce(x.user_response_ms, 0) as user_response_ms,
  coalesce(x.ivrs, 0) as ivrs, coalesce(x.ivr_ms, 0) as ivr_ms
from (
  select interval_start, queue_id, user_id, media_type, direction, originating_direction, updated_at,
    offered, over_service_level, transferred, blind_transferred, consult_transferred, consults, outbound, outbound_attempted,
    outbound_connected, outbound_abandoned, connected, errors, answered, answer_ms, answer_ms_max, abandoned, abandon_ms,
    abandon_ms_max, short_abandoned, flow_outs, waits, wait_ms, wait_ms_max, handled, handle_ms, handle_ms_max, talks, talk_ms,
    holds, hold_ms, acws, acw_ms, alerts, alert_ms, not_responding, not_responding_ms, dialing, dialing_ms, contacting,
    contacting_ms, voicemails, voicemail_ms, agent_responses, agent_response_ms, user_responses, user_response_ms, ivrs, ivr_ms
  from etl.agent_intervals i
  where not exists (select from etl.dirty_hours d where d.hour = date_bin('1 hour', i.interval_start, 'epoch'))
  union all
  select interval_start, queue_id, user_id, media_type, direction, originating_direction,
    (select max(dirtied_at) from etl.dirty_hours d where d.hour = date_bin('1 hour', interval_start, 'epoch')),
    etl.total(offered), etl.total(over_service_level), etl.total(transferred), etl.total(blind_transferred),
    etl.total(consult_transferred), etl.total(consults), etl.total(outbound), etl.total(outbound_attempted),
    etl.total(outbound_connected), etl.total(outbound_abandoned), etl.total(connected), etl.total(errors), etl.total(answered),
    etl.total(answer_ms), max(answer_ms_max), etl.total(abandoned), etl.total(abandon_ms), max(abandon_ms_max),
    etl.total(short_abandoned), etl.total(flow_outs), etl.total(waits), etl.total(wait_ms), max(wait_ms_max), etl.total(handled),
    etl.total(handle_ms), max(handle_ms_max), etl.total(talks), etl.total(talk_ms), etl.total(holds), etl.total(hold_ms),
    etl.total(acws), etl.total(acw_ms), etl.total(alerts), etl.total(alert_ms), etl.total(not_responding),
    etl.total(not_responding_ms), etl.total(dialing), etl.total(dialing_ms), etl.total(contacting), etl.total(contacting_ms),
    etl.total(voicemails), etl.total(voicemail_ms), etl.total(agent_responses), etl.total(agent_response_ms),
    etl.total(user_responses), etl.total(user_response_ms), etl.total(ivrs), etl.total(ivr_ms)
  from etl.dirty_cells() where user_id is not null
  group by interval_start, queue_id, user_id, media_type, direction, originating_direction) x
left join genesys.dim_queues q on q.id = x.queue_id
left join genesys.dim_users u on u.id = x.user_id
left join etl.user_teams t on t.user_id = x.user_id
where x.interval_start >= (select shown_from from etl.derivation)
  and ((select media_types from etl.derivation) is null or x.media_type = any((select media_types from etl.derivation)::text[]));

comment on view reporting.agent_intervals is
  'What Genesys'' aggregates count, one row per 15-minute interval, queue, agent, media type, direction and originating direction: a metric counts in the interval of its emit_date. Rows of metrics with a user only.';
comment on column reporting.agent_intervals.interval_start is 'Start of the interval of 15 minutes, aligned to UTC.';
comment on column reporting.agent_intervals.queue_id is 'Queue of the metrics; null where they belong to none (IVR, direct calls).';
comment on column reporting.agent_intervals.user_id is 'Agent, or other user, of the metrics.';
comment on column reporting.agent_intervals.media_type is 'Media type of their sessions: voice, chat, email, message, callback, …';
comment on column reporting.agent_intervals.direction is 'Direction of their sessions: inbound or outbound.';
comment on column reporting.agent_intervals.originating_direction is 'Direction in which their conversations began.';
comment on column reporting.agent_intervals.queue_name is 'Name of the queue; its id where the name is unknown.';
comment on column reporting.agent_intervals.user_name is 'Name of the user; the id where the name is unknown.';
comment on column reporting.agent_intervals.team_name is 'Name of the present team of the user; null where there is none or it is unknown.';
comment on column reporting.agent_intervals.updated_at is 'When the numbers of the row last changed; of rows that are not added up yet, when their hour was last loaded.';
comment on column reporting.agent_intervals.offered is 'Entries into the queue: sum of nOffered.';
comment on column reporting.agent_intervals.over_service_level is 'Answered later than the target of the queue allowed: sum of nOverSla.';
comment on column reporting.agent_intervals.transferred is 'Transfers, on the agent who transferred: blind and consult ones: sum of nTransferred.';
comment on column reporting.agent_intervals.blind_transferred is 'Transfers without consultation: sum of nBlindTransferred.';
comment on column reporting.agent_intervals.consult_transferred is 'Transfers after consultation: sum of nConsultTransferred.';
comment on column reporting.agent_intervals.consults is 'Consultations begun: sum of nConsult.';
comment on column reporting.agent_intervals.outbound is 'Outbound conversations: sum of nOutbound.';
comment on column reporting.agent_intervals.outbound_attempted is 'Attempts of a campaign: sum of nOutboundAttempted.';
comment on column reporting.agent_intervals.outbound_connected is 'Attempts of a campaign that reached somebody: sum of nOutboundConnected.';
comment on column reporting.agent_intervals.outbound_abandoned is 'Outbound contacts who hung up before an agent was there: sum of nOutboundAbandoned.';
comment on column reporting.agent_intervals.connected is 'Connections of the customer: sum of nConnected.';
comment on column reporting.agent_intervals.errors is 'Errors of alerts and connections: sum of nError.';
comment on column reporting.agent_intervals.answered is 'Answered by the first agent of a queue entry: number of tAnswered.';
comment on column reporting.agent_intervals.answer_ms is 'Time that the answered waited: sum of tAnswered, in milliseconds.';
comment on column reporting.agent_intervals.answer_ms_max is 'Longest wait of an answered one: largest tAnswered, in milliseconds; null where there is none.';
comment on column reporting.agent_intervals.abandoned is 'Left the queue by hanging up, short ones included: number of tAbandon.';
comment on column reporting.agent_intervals.abandon_ms is 'Time until they hung up: sum of tAbandon, in milliseconds.';
comment on column reporting.agent_intervals.abandon_ms_max is 'Longest time until one hung up: largest tAbandon, in milliseconds; null where there is none.';
comment on column reporting.agent_intervals.short_abandoned is 'Abandoned within the time that counts as short: number of tShortAbandon.';
comment on column reporting.agent_intervals.flow_outs is 'Taken out of the queue by a flow, e.g. to a callback: number of tFlowOut.';
comment on column reporting.agent_intervals.waits is 'Waits in the queue that ended, however they ended: number of tAcd.';
comment on column reporting.agent_intervals.wait_ms is 'Time of these waits: sum of tAcd, in milliseconds.';
comment on column reporting.agent_intervals.wait_ms_max is 'Longest of these waits: largest tAcd, in milliseconds; null where there is none.';
comment on column reporting.agent_intervals.handled is 'Handled, once for every agent who took part, at the end of after-call work: number of tHandle.';
comment on column reporting.agent_intervals.handle_ms is 'Handle time: talk, hold, after-call work, dialing and contacting: sum of tHandle, in milliseconds.';
comment on column reporting.agent_intervals.handle_ms_max is 'Longest handle time: largest tHandle, in milliseconds; null where there is none.';
comment on column reporting.agent_intervals.talks is 'Agents who talked: number of tTalkComplete.';
comment on column reporting.agent_intervals.talk_ms is 'Their talk time: sum of tTalkComplete, in milliseconds.';
comment on column reporting.agent_intervals.holds is 'Agents who held: number of tHeldComplete.';
comment on column reporting.agent_intervals.hold_ms is 'Their hold time: sum of tHeldComplete, in milliseconds.';
comment on column reporting.agent_intervals.acws is 'After-call work: number of tAcw.';
comment on column reporting.agent_intervals.acw_ms is 'Time of after-call work: sum of tAcw, in milliseconds.';
comment on column reporting.agent_intervals.alerts is 'Alerts that ended: number of tAlert.';
comment on column reporting.agent_intervals.alert_ms is 'Time of these alerts: sum of tAlert, in milliseconds.';
comment on column reporting.agent_intervals.not_responding is 'Alerts that nobody answered: number of tNotResponding.';
comment on column reporting.agent_intervals.not_responding_ms is 'Time of these alerts: sum of tNotResponding, in milliseconds.';
comment on column reporting.agent_intervals.dialing is 'Times that an agent dialed: number of tDialing.';
comment on column reporting.agent_intervals.dialing_ms is 'Time of dialing: sum of tDialing, in milliseconds.';
comment on column reporting.agent_intervals.contacting is 'Times that an agent waited for an outbound contact: number of tContacting.';
comment on column reporting.agent_intervals.contacting_ms is 'Time of these waits: sum of tContacting, in milliseconds.';
comment on column reporting.agent_intervals.voicemails is 'Voicemails: number of tVoicemail.';
comment on column reporting.agent_intervals.voicemail_ms is 'Their length: sum of tVoicemail, in milliseconds.';
comment on column reporting.agent_intervals.agent_responses is 'Replies of agents to messages: number of tAgentResponseTime.';
comment on column reporting.agent_intervals.agent_response_ms is 'Time until they replied: sum of tAgentResponseTime, in milliseconds.';
comment on column reporting.agent_intervals.user_responses is 'Replies of customers to messages: number of tUserResponseTime.';
comment on column reporting.agent_intervals.user_response_ms is 'Time until they replied: sum of tUserResponseTime, in milliseconds.';
comment on column reporting.agent_intervals.ivrs is 'Passages through an IVR: number of tIvr.';
comment on column reporting.agent_intervals.ivr_ms is 'Time in the IVR: sum of tIvr, in milliseconds.';

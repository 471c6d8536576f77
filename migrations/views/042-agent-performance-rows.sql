create or replace view reporting.agent_performance_rows as
select null::timestamptz as interval_start, null::timestamptz as interval_end, queue_id, user_id, media_type, direction, queue_name, user_name, team_name, updated_at, offered, over_service_level,
  transferred, blind_transferred, consult_transferred, consults, outbound, outbound_attempted, outbound_connected,
  outbound_abandoned, connected, errors, answered, answer_ms, answer_ms_max, abandoned, abandon_ms, abandon_ms_max,
  short_abandoned, flow_outs, waits, wait_ms, wait_ms_max, handled, handle_ms, handle_ms_max, talks, talk_ms, holds, hold_ms,
  acws, acw_ms, alerts, alert_ms, not_responding, not_responding_ms, dialing, dialing_ms, contacting, contacting_ms, voicemails,
  voicemail_ms, agent_responses, agent_response_ms, user_responses, user_response_ms, ivrs, ivr_ms,
  average_speed_of_answer_seconds, average_wait_seconds, average_talk_seconds, average_hold_seconds, average_acw_seconds,
  average_handle_seconds, transfer_rate
from reporting.agent_daily
where false;

comment on view reporting.agent_performance_rows is 'Type of the rows of reporting.agent_performance(from_time, to_time, granularity); has no rows itself. One row per period, queue, agent, media type and direction.';
comment on column reporting.agent_performance_rows.interval_start is 'Start of the period, or from_time where that is later.';
comment on column reporting.agent_performance_rows.interval_end is 'First instant after the period, or to_time where that is earlier.';
comment on column reporting.agent_performance_rows.queue_id is 'Queue of the metrics; null where they belong to none (IVR, direct calls).';
comment on column reporting.agent_performance_rows.user_id is 'Agent, or other user, of the metrics.';
comment on column reporting.agent_performance_rows.media_type is 'Media type of their sessions: voice, chat, email, message, callback, …';
comment on column reporting.agent_performance_rows.direction is 'Direction of their sessions: inbound or outbound.';
comment on column reporting.agent_performance_rows.queue_name is 'Name of the queue; its id where the name is unknown.';
comment on column reporting.agent_performance_rows.user_name is 'Name of the user; the id where the name is unknown.';
comment on column reporting.agent_performance_rows.team_name is 'Name of the present team of the user; null where there is none or it is unknown.';
comment on column reporting.agent_performance_rows.updated_at is 'When the numbers of the row last changed.';
comment on column reporting.agent_performance_rows.offered is 'Entries into the queue: sum of nOffered.';
comment on column reporting.agent_performance_rows.over_service_level is 'Answered later than the target of the queue allowed: sum of nOverSla.';
comment on column reporting.agent_performance_rows.transferred is 'Transfers, on the agent who transferred: blind and consult ones: sum of nTransferred.';
comment on column reporting.agent_performance_rows.blind_transferred is 'Transfers without consultation: sum of nBlindTransferred.';
comment on column reporting.agent_performance_rows.consult_transferred is 'Transfers after consultation: sum of nConsultTransferred.';
comment on column reporting.agent_performance_rows.consults is 'Consultations begun: sum of nConsult.';
comment on column reporting.agent_performance_rows.outbound is 'Outbound conversations: sum of nOutbound.';
comment on column reporting.agent_performance_rows.outbound_attempted is 'Attempts of a campaign: sum of nOutboundAttempted.';
comment on column reporting.agent_performance_rows.outbound_connected is 'Attempts of a campaign that reached somebody: sum of nOutboundConnected.';
comment on column reporting.agent_performance_rows.outbound_abandoned is 'Outbound contacts who hung up before an agent was there: sum of nOutboundAbandoned.';
comment on column reporting.agent_performance_rows.connected is 'Connections of the customer: sum of nConnected.';
comment on column reporting.agent_performance_rows.errors is 'Errors of alerts and connections: sum of nError.';
comment on column reporting.agent_performance_rows.answered is 'Answered by the first agent of a queue entry: number of tAnswered.';
comment on column reporting.agent_performance_rows.answer_ms is 'Time that the answered waited: sum of tAnswered, in milliseconds.';
comment on column reporting.agent_performance_rows.answer_ms_max is 'Longest wait of an answered one: largest tAnswered, in milliseconds; null where there is none.';
comment on column reporting.agent_performance_rows.abandoned is 'Left the queue by hanging up, short ones included: number of tAbandon.';
comment on column reporting.agent_performance_rows.abandon_ms is 'Time until they hung up: sum of tAbandon, in milliseconds.';
comment on column reporting.agent_performance_rows.abandon_ms_max is 'Longest time until one hung up: largest tAbandon, in milliseconds; null where there is none.';
comment on column reporting.agent_performance_rows.short_abandoned is 'Abandoned within the time that counts as short: number of tShortAbandon.';
comment on column reporting.agent_performance_rows.flow_outs is 'Taken out of the queue by a flow, e.g. to a callback: number of tFlowOut.';
comment on column reporting.agent_performance_rows.waits is 'Waits in the queue that ended, however they ended: number of tAcd.';
comment on column reporting.agent_performance_rows.wait_ms is 'Time of these waits: sum of tAcd, in milliseconds.';
comment on column reporting.agent_performance_rows.wait_ms_max is 'Longest of these waits: largest tAcd, in milliseconds; null where there is none.';
comment on column reporting.agent_performance_rows.handled is 'Handled, once for every agent who took part, at the end of after-call work: number of tHandle.';
comment on column reporting.agent_performance_rows.handle_ms is 'Handle time: talk, hold, after-call work, dialing and contacting: sum of tHandle, in milliseconds.';
comment on column reporting.agent_performance_rows.handle_ms_max is 'Longest handle time: largest tHandle, in milliseconds; null where there is none.';
comment on column reporting.agent_performance_rows.talks is 'Agents who talked: number of tTalkComplete.';
comment on column reporting.agent_performance_rows.talk_ms is 'Their talk time: sum of tTalkComplete, in milliseconds.';
comment on column reporting.agent_performance_rows.holds is 'Agents who held: number of tHeldComplete.';
comment on column reporting.agent_performance_rows.hold_ms is 'Their hold time: sum of tHeldComplete, in milliseconds.';
comment on column reporting.agent_performance_rows.acws is 'After-call work: number of tAcw.';
comment on column reporting.agent_performance_rows.acw_ms is 'Time of after-call work: sum of tAcw, in milliseconds.';
comment on column reporting.agent_performance_rows.alerts is 'Alerts that ended: number of tAlert.';
comment on column reporting.agent_performance_rows.alert_ms is 'Time of these alerts: sum of tAlert, in milliseconds.';
comment on column reporting.agent_performance_rows.not_responding is 'Alerts that nobody answered: number of tNotResponding.';
comment on column reporting.agent_performance_rows.not_responding_ms is 'Time of these alerts: sum of tNotResponding, in milliseconds.';
comment on column reporting.agent_performance_rows.dialing is 'Times that an agent dialed: number of tDialing.';
comment on column reporting.agent_performance_rows.dialing_ms is 'Time of dialing: sum of tDialing, in milliseconds.';
comment on column reporting.agent_performance_rows.contacting is 'Times that an agent waited for an outbound contact: number of tContacting.';
comment on column reporting.agent_performance_rows.contacting_ms is 'Time of these waits: sum of tContacting, in milliseconds.';
comment on column reporting.agent_performance_rows.voicemails is 'Voicemails: number of tVoicemail.';
comment on column reporting.agent_performance_rows.voicemail_ms is 'Their length: sum of tVoicemail, in milliseconds.';
comment on column reporting.agent_performance_rows.agent_responses is 'Replies of agents to messages: number of tAgentResponseTime.';
comment on column reporting.agent_performance_rows.agent_response_ms is 'Time until they replied: sum of tAgentResponseTime, in milliseconds.';
comment on column reporting.agent_performance_rows.user_responses is 'Replies of customers to messages: number of tUserResponseTime.';
comment on column reporting.agent_performance_rows.user_response_ms is 'Time until they replied: sum of tUserResponseTime, in milliseconds.';
comment on column reporting.agent_performance_rows.ivrs is 'Passages through an IVR: number of tIvr.';
comment on column reporting.agent_performance_rows.ivr_ms is 'Time in the IVR: sum of tIvr, in milliseconds.';
comment on column reporting.agent_performance_rows.average_speed_of_answer_seconds is 'ASA: answer_ms / answered, in seconds.';
comment on column reporting.agent_performance_rows.average_wait_seconds is 'wait_ms / waits, in seconds.';
comment on column reporting.agent_performance_rows.average_talk_seconds is 'talk_ms / talks, in seconds.';
comment on column reporting.agent_performance_rows.average_hold_seconds is 'hold_ms / holds, in seconds: the mean of those who held.';
comment on column reporting.agent_performance_rows.average_acw_seconds is 'acw_ms / acws, in seconds.';
comment on column reporting.agent_performance_rows.average_handle_seconds is 'AHT: handle_ms / handled, in seconds.';
comment on column reporting.agent_performance_rows.transfer_rate is 'transferred / handled.';

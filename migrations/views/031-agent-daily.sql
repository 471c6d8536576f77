-- Days that are added up, and the others computed from intervals.
create or replace view reporting.agent_daily as
select x.day, x.queue_id, x.user_id, x.media_type, x.direction, coalesce(q.name, x.queue_id) as queue_name, coalesce(u.name, x.user_id) as user_name,
  t.name as team_name, x.updated_at,
  x.offered, x.over_service_level, x.transferred, x.blind_transferred, x.consult_transferred, x.consults, x.outbound,
  x.outbound_attempted, x.outbound_connected, x.outbound_abandoned, x.connected, x.errors, x.answered, x.answer_ms,
  x.answer_ms_max, x.abandoned, x.abandon_ms, x.abandon_ms_max, x.short_abandoned, x.flow_outs, x.waits, x.wait_ms, x.wait_ms_max,
  x.handled, x.handle_ms, x.handle_ms_max, x.talks, x.talk_ms, x.holds, x.hold_ms, x.acws, x.acw_ms, x.alerts, x.alert_ms,
  x.not_responding, x.not_responding_ms, x.dialing, x.dialing_ms, x.contacting, x.contacting_ms, x.voicemails, x.voicemail_ms,
  x.agent_responses, x.agent_response_ms, x.user_responses, x.user_response_ms, x.ivrs, x.ivr_ms,
  reporting.seconds(x.answer_ms, x.answered) as average_speed_of_answer_seconds,
  reporting.seconds(x.wait_ms, x.waits) as average_wait_seconds,
  reporting.seconds(x.talk_ms, x.talks) as average_talk_seconds,
  reporting.seconds(x.hold_ms, x.holds) as average_hold_seconds,
  reporting.seconds(x.acw_ms, x.acws) as average_acw_seconds,
  reporting.seconds(x.handle_ms, x.handled) as average_handle_seconds,
  reporting.ratio(x.transferred, x.handled) as transfer_rate
from (
  select r.day, r.queue_id, r.user_id, r.media_type, r.direction, r.updated_at,
    coalesce(r.offered, 0) as offered, coalesce(r.over_service_level, 0) as over_service_level,
    coalesce(r.transferred, 0) as transferred, coalesce(r.blind_transferred, 0) as blind_transferred,
    coalesce(r.consult_transferred, 0) as consult_transferred, coalesce(r.consults, 0) as consults,
    coalesce(r.outbound, 0) as outbound, coalesce(r.outbound_attempted, 0) as outbound_attempted,
    coalesce(r.outbound_connected, 0) as outbound_connected, coalesce(r.outbound_abandoned, 0) as outbound_abandoned,
    coalesce(r.connected, 0) as connected, coalesce(r.errors, 0) as errors, coalesce(r.answered, 0) as answered,
    coalesce(r.answer_ms, 0) as answer_ms, r.answer_ms_max, coalesce(r.abandoned, 0) as abandoned,
    coalesce(r.abandon_ms, 0) as abandon_ms, r.abandon_ms_max, coalesce(r.short_abandoned, 0) as short_abandoned,
    coalesce(r.flow_outs, 0) as flow_outs, coalesce(r.waits, 0) as waits, coalesce(r.wait_ms, 0) as wait_ms, r.wait_ms_max,
    coalesce(r.handled, 0) as handled, coalesce(r.handle_ms, 0) as handle_ms, r.handle_ms_max, coalesce(r.talks, 0) as talks,
    coalesce(r.talk_ms, 0) as talk_ms, coalesce(r.holds, 0) as holds, coalesce(r.hold_ms, 0) as hold_ms,
    coalesce(r.acws, 0) as acws, coalesce(r.acw_ms, 0) as acw_ms, coalesce(r.alerts, 0) as alerts,
    coalesce(r.alert_ms, 0) as alert_ms, coalesce(r.not_responding, 0) as not_responding,
    coalesce(r.not_responding_ms, 0) as not_responding_ms, coalesce(r.dialing, 0) as dialing,
    coalesce(r.dialing_ms, 0) as dialing_ms, coalesce(r.contacting, 0) as contacting,
    coalesce(r.contacting_ms, 0) as contacting_ms, coalesce(r.voicemails, 0) as voicemails,
    coalesce(r.voicemail_ms, 0) as voicemail_ms, coalesce(r.agent_responses, 0) as agent_responses,
    coalesce(r.agent_response_ms, 0) as agent_response_ms, coalesce(r.user_responses, 0) as user_responses,
    coalesce(r.user_response_ms, 0) as user_response_ms, coalesce(r.ivrs, 0) as ivrs, coalesce(r.ivr_ms, 0) as ivr_ms
  from (
    select day, queue_id, user_id, media_type, direction, updated_at,
      offered, over_service_level, transferred, blind_transferred, consult_transferred, consults, outbound, outbound_attempted,
      outbound_connected, outbound_abandoned, connected, errors, answered, answer_ms, answer_ms_max, abandoned, abandon_ms,
      abandon_ms_max, short_abandoned, flow_outs, waits, wait_ms, wait_ms_max, handled, handle_ms, handle_ms_max, talks, talk_ms,
      holds, hold_ms, acws, acw_ms, alerts, alert_ms, not_responding, not_responding_ms, dialing, dialing_ms, contacting,
      contacting_ms, voicemails, voicemail_ms, agent_responses, agent_response_ms, user_responses, user_response_ms, ivrs, ivr_ms
    from etl.agent_days d
    where time_zone = (select time_zone from reporting.settings)
      and day > (select (shown_from at time zone (select time_zone from reporting.settings))::date from etl.derivation)
      and not exists (select from etl.unclean_days() u (day) where u.day = d.day)
    union all
    select day, queue_id, user_id, media_type, direction, updated_at,
      offered, over_service_level, transferred, blind_transferred, consult_transferred, consults, outbound, outbound_attempted,
      outbound_connected, outbound_abandoned, connected, errors, answered, answer_ms, answer_ms_max, abandoned, abandon_ms,
      abandon_ms_max, short_abandoned, flow_outs, waits, wait_ms, wait_ms_max, handled, handle_ms, handle_ms_max, talks, talk_ms,
      holds, hold_ms, acws, acw_ms, alerts, alert_ms, not_responding, not_responding_ms, dialing, dialing_ms, contacting,
      contacting_ms, voicemails, voicemail_ms, agent_responses, agent_response_ms, user_responses, user_response_ms, ivrs, ivr_ms
    from etl.unclean_agent_days()) r
  where ((select media_types from etl.derivation) is null or r.media_type = any((select media_types from etl.derivation)::text[]))) x
left join genesys.dim_queues q on q.id = x.queue_id
left join genesys.dim_users u on u.id = x.user_id
left join etl.user_teams t on t.user_id = x.user_id;

comment on view reporting.agent_daily is
  'One row per day (in the time zone of reporting.settings), queue, agent, media type and direction, with KPIs: reporting.agent_intervals by day.';
comment on column reporting.agent_daily.day is 'Day in the time zone of reporting.settings.';
comment on column reporting.agent_daily.queue_id is 'Queue of the metrics; null where they belong to none (IVR, direct calls).';
comment on column reporting.agent_daily.user_id is 'Agent, or other user, of the metrics.';
comment on column reporting.agent_daily.media_type is 'Media type of their sessions: voice, chat, email, message, callback, …';
comment on column reporting.agent_daily.direction is 'Direction of their sessions: inbound or outbound.';
comment on column reporting.agent_daily.queue_name is 'Name of the queue; its id where the name is unknown.';
comment on column reporting.agent_daily.user_name is 'Name of the user; the id where the name is unknown.';
comment on column reporting.agent_daily.team_name is 'Name of the present team of the user; null where there is none or it is unknown.';
comment on column reporting.agent_daily.updated_at is 'When the numbers of the row last changed; of a day that is not added up yet, of its latest interval, or now.';
comment on column reporting.agent_daily.offered is 'Entries into the queue: sum of nOffered.';
comment on column reporting.agent_daily.over_service_level is 'Answered later than the target of the queue allowed: sum of nOverSla.';
comment on column reporting.agent_daily.transferred is 'Transfers, on the agent who transferred: blind and consult ones: sum of nTransferred.';
comment on column reporting.agent_daily.blind_transferred is 'Transfers without consultation: sum of nBlindTransferred.';
comment on column reporting.agent_daily.consult_transferred is 'Transfers after consultation: sum of nConsultTransferred.';
comment on column reporting.agent_daily.consults is 'Consultations begun: sum of nConsult.';
comment on column reporting.agent_daily.outbound is 'Outbound conversations: sum of nOutbound.';
comment on column reporting.agent_daily.outbound_attempted is 'Attempts of a campaign: sum of nOutboundAttempted.';
comment on column reporting.agent_daily.outbound_connected is 'Attempts of a campaign that reached somebody: sum of nOutboundConnected.';
comment on column reporting.agent_daily.outbound_abandoned is 'Outbound contacts who hung up before an agent was there: sum of nOutboundAbandoned.';
comment on column reporting.agent_daily.connected is 'Connections of the customer: sum of nConnected.';
comment on column reporting.agent_daily.errors is 'Errors of alerts and connections: sum of nError.';
comment on column reporting.agent_daily.answered is 'Answered by the first agent of a queue entry: number of tAnswered.';
comment on column reporting.agent_daily.answer_ms is 'Time that the answered waited: sum of tAnswered, in milliseconds.';
comment on column reporting.agent_daily.answer_ms_max is 'Longest wait of an answered one: largest tAnswered, in milliseconds; null where there is none.';
comment on column reporting.agent_daily.abandoned is 'Left the queue by hanging up, short ones included: number of tAbandon.';
comment on column reporting.agent_daily.abandon_ms is 'Time until they hung up: sum of tAbandon, in milliseconds.';
comment on column reporting.agent_daily.abandon_ms_max is 'Longest time until one hung up: largest tAbandon, in milliseconds; null where there is none.';
comment on column reporting.agent_daily.short_abandoned is 'Abandoned within the time that counts as short: number of tShortAbandon.';
comment on column reporting.agent_daily.flow_outs is 'Taken out of the queue by a flow, e.g. to a callback: number of tFlowOut.';
comment on column reporting.agent_daily.waits is 'Waits in the queue that ended, however they ended: number of tAcd.';
comment on column reporting.agent_daily.wait_ms is 'Time of these waits: sum of tAcd, in milliseconds.';
comment on column reporting.agent_daily.wait_ms_max is 'Longest of these waits: largest tAcd, in milliseconds; null where there is none.';
comment on column reporting.agent_daily.handled is 'Handled, once for every agent who took part, at the end of after-call work: number of tHandle.';
comment on column reporting.agent_daily.handle_ms is 'Handle time: talk, hold, after-call work, dialing and contacting: sum of tHandle, in milliseconds.';
comment on column reporting.agent_daily.handle_ms_max is 'Longest handle time: largest tHandle, in milliseconds; null where there is none.';
comment on column reporting.agent_daily.talks is 'Agents who talked: number of tTalkComplete.';
comment on column reporting.agent_daily.talk_ms is 'Their talk time: sum of tTalkComplete, in milliseconds.';
comment on column reporting.agent_daily.holds is 'Agents who held: number of tHeldComplete.';
comment on column reporting.agent_daily.hold_ms is 'Their hold time: sum of tHeldComplete, in milliseconds.';
comment on column reporting.agent_daily.acws is 'After-call work: number of tAcw.';
comment on column reporting.agent_daily.acw_ms is 'Time of after-call work: sum of tAcw, in milliseconds.';
comment on column reporting.agent_daily.alerts is 'Alerts that ended: number of tAlert.';
comment on column reporting.agent_daily.alert_ms is 'Time of these alerts: sum of tAlert, in milliseconds.';
comment on column reporting.agent_daily.not_responding is 'Alerts that nobody answered: number of tNotResponding.';
comment on column reporting.agent_daily.not_responding_ms is 'Time of these alerts: sum of tNotResponding, in milliseconds.';
comment on column reporting.agent_daily.dialing is 'Times that an agent dialed: number of tDialing.';
comment on column reporting.agent_daily.dialing_ms is 'Time of dialing: sum of tDialing, in milliseconds.';
comment on column reporting.agent_daily.contacting is 'Times that an agent waited for an outbound contact: number of tContacting.';
comment on column reporting.agent_daily.contacting_ms is 'Time of these waits: sum of tContacting, in milliseconds.';
comment on column reporting.agent_daily.voicemails is 'Voicemails: number of tVoicemail.';
comment on column reporting.agent_daily.voicemail_ms is 'Their length: sum of tVoicemail, in milliseconds.';
comment on column reporting.agent_daily.agent_responses is 'Replies of agents to messages: number of tAgentResponseTime.';
comment on column reporting.agent_daily.agent_response_ms is 'Time until they replied: sum of tAgentResponseTime, in milliseconds.';
comment on column reporting.agent_daily.user_responses is 'Replies of customers to messages: number of tUserResponseTime.';
comment on column reporting.agent_daily.user_response_ms is 'Time until they replied: sum of tUserResponseTime, in milliseconds.';
comment on column reporting.agent_daily.ivrs is 'Passages through an IVR: number of tIvr.';
comment on column reporting.agent_daily.ivr_ms is 'Time in the IVR: sum of tIvr, in milliseconds.';
comment on column reporting.agent_daily.average_speed_of_answer_seconds is 'ASA: answer_ms / answered, in seconds.';
comment on column reporting.agent_daily.average_wait_seconds is 'wait_ms / waits, in seconds.';
comment on column reporting.agent_daily.average_talk_seconds is 'talk_ms / talks, in seconds.';
comment on column reporting.agent_daily.average_hold_seconds is 'hold_ms / holds, in seconds: the mean of those who held.';
comment on column reporting.agent_daily.average_acw_seconds is 'acw_ms / acws, in seconds.';
comment on column reporting.agent_daily.average_handle_seconds is 'AHT: handle_ms / handled, in seconds.';
comment on column reporting.agent_daily.transfer_rate is 'transferred / handled.';

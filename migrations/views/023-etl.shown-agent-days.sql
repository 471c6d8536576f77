-- Days that are added up, and the others computed from intervals. IS TRUE: the planner would take two bounds, one of them unknown, for a
-- narrow range.
create or replace view etl.shown_agent_days as
select day, queue_id, user_id, media_type, direction, updated_at,
  offered, over_service_level, transferred, blind_transferred, consult_transferred, consults, outbound, outbound_attempted,
  outbound_connected, outbound_abandoned, connected, errors, answered, answer_ms, answer_ms_max, abandoned, abandon_ms,
  abandon_ms_max, short_abandoned, flow_outs, waits, wait_ms, wait_ms_max, handled, handle_ms, handle_ms_max, talks, talk_ms,
  holds, hold_ms, acws, acw_ms, alerts, alert_ms, not_responding, not_responding_ms, dialing, dialing_ms, contacting,
  contacting_ms, voicemails, voicemail_ms, agent_responses, agent_response_ms, user_responses, user_response_ms, ivrs, ivr_ms
from (
  select day, queue_id, user_id, media_type, direction, updated_at,
    offered, over_service_level, transferred, blind_transferred, consult_transferred, consults, outbound, outbound_attempted,
    outbound_connected, outbound_abandoned, connected, errors, answered, answer_ms, answer_ms_max, abandoned, abandon_ms,
    abandon_ms_max, short_abandoned, flow_outs, waits, wait_ms, wait_ms_max, handled, handle_ms, handle_ms_max, talks, talk_ms,
    holds, hold_ms, acws, acw_ms, alerts, alert_ms, not_responding, not_responding_ms, dialing, dialing_ms, contacting,
    contacting_ms, voicemails, voicemail_ms, agent_responses, agent_response_ms, user_responses, user_response_ms, ivrs, ivr_ms
  from etl.agent_days d
  where time_zone = (select time_zone from reporting.settings)
    and (day > (select (shown_from at time zone (select time_zone from reporting.settings))::date from etl.derivation)) is true
    and not exists (
      select from etl.unclean_days() u (day)
      where u.day = d.day and not etl.lacks_agents(u.day, (select time_zone from reporting.settings)))
  union all
  select day, queue_id, user_id, media_type, direction, updated_at,
    offered, over_service_level, transferred, blind_transferred, consult_transferred, consults, outbound, outbound_attempted,
    outbound_connected, outbound_abandoned, connected, errors, answered, answer_ms, answer_ms_max, abandoned, abandon_ms,
    abandon_ms_max, short_abandoned, flow_outs, waits, wait_ms, wait_ms_max, handled, handle_ms, handle_ms_max, talks, talk_ms,
    holds, hold_ms, acws, acw_ms, alerts, alert_ms, not_responding, not_responding_ms, dialing, dialing_ms, contacting,
    contacting_ms, voicemails, voicemail_ms, agent_responses, agent_response_ms, user_responses, user_response_ms, ivrs, ivr_ms
  from etl.unclean_agent_days()) x
where ((select media_types from etl.derivation) is null or media_type = any((select media_types from etl.derivation)::text[]));

comment on view etl.shown_agent_days is 'The rows of reporting.agent_daily without names and KPIs, and null instead of 0, which is faster to add up.';
comment on column etl.shown_agent_days.day is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.queue_id is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.user_id is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.media_type is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.direction is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.updated_at is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.offered is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.over_service_level is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.transferred is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.blind_transferred is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.consult_transferred is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.consults is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.outbound is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.outbound_attempted is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.outbound_connected is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.outbound_abandoned is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.connected is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.errors is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.answered is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.answer_ms is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.answer_ms_max is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.abandoned is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.abandon_ms is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.abandon_ms_max is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.short_abandoned is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.flow_outs is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.waits is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.wait_ms is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.wait_ms_max is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.handled is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.handle_ms is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.handle_ms_max is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.talks is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.talk_ms is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.holds is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.hold_ms is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.acws is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.acw_ms is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.alerts is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.alert_ms is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.not_responding is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.not_responding_ms is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.dialing is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.dialing_ms is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.contacting is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.contacting_ms is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.voicemails is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.voicemail_ms is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.agent_responses is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.agent_response_ms is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.user_responses is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.user_response_ms is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.ivrs is 'As in reporting.agent_daily, but null instead of 0.';
comment on column etl.shown_agent_days.ivr_ms is 'As in reporting.agent_daily, but null instead of 0.';

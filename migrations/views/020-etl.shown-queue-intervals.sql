-- Clean hours come from what is added up, dirty ones from the cells: a reader sees the cells of a load and its dirty marks together.
-- IS TRUE: the planner would take two bounds, one of them unknown, for a narrow range.
create or replace view etl.shown_queue_intervals as
select interval_start, queue_id, media_type, direction, originating_direction, updated_at,
  offered, over_service_level, transferred, blind_transferred, consult_transferred, consults, outbound, outbound_attempted,
  outbound_connected, outbound_abandoned, connected, errors, answered, answer_ms, answer_ms_max, abandoned, abandon_ms,
  abandon_ms_max, short_abandoned, flow_outs, waits, wait_ms, wait_ms_max, handled, handle_ms, handle_ms_max, talks, talk_ms,
  holds, hold_ms, acws, acw_ms, alerts, alert_ms, not_responding, not_responding_ms, dialing, dialing_ms, contacting,
  contacting_ms, voicemails, voicemail_ms, agent_responses, agent_response_ms, user_responses, user_response_ms, ivrs, ivr_ms
from (
  select interval_start, queue_id, media_type, direction, originating_direction, updated_at,
    offered, over_service_level, transferred, blind_transferred, consult_transferred, consults, outbound, outbound_attempted,
    outbound_connected, outbound_abandoned, connected, errors, answered, answer_ms, answer_ms_max, abandoned, abandon_ms,
    abandon_ms_max, short_abandoned, flow_outs, waits, wait_ms, wait_ms_max, handled, handle_ms, handle_ms_max, talks, talk_ms,
    holds, hold_ms, acws, acw_ms, alerts, alert_ms, not_responding, not_responding_ms, dialing, dialing_ms, contacting,
    contacting_ms, voicemails, voicemail_ms, agent_responses, agent_response_ms, user_responses, user_response_ms, ivrs, ivr_ms
  from etl.queue_intervals i
  where not exists (select from etl.dirty_hours d where d.hour = date_bin('1 hour', i.interval_start, 'epoch'))
  union all
  select interval_start, queue_id, media_type, direction, originating_direction,
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
  from etl.dirty_cells()
  group by interval_start, queue_id, media_type, direction, originating_direction) x
where (interval_start >= (select shown_from from etl.derivation)) is true
  and ((select media_types from etl.derivation) is null or media_type = any((select media_types from etl.derivation)::text[]));

comment on view etl.shown_queue_intervals is 'The rows of reporting.queue_intervals without names, and null instead of 0, which is faster to add up.';
comment on column etl.shown_queue_intervals.interval_start is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.queue_id is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.media_type is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.direction is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.originating_direction is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.updated_at is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.offered is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.over_service_level is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.transferred is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.blind_transferred is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.consult_transferred is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.consults is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.outbound is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.outbound_attempted is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.outbound_connected is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.outbound_abandoned is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.connected is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.errors is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.answered is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.answer_ms is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.answer_ms_max is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.abandoned is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.abandon_ms is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.abandon_ms_max is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.short_abandoned is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.flow_outs is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.waits is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.wait_ms is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.wait_ms_max is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.handled is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.handle_ms is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.handle_ms_max is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.talks is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.talk_ms is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.holds is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.hold_ms is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.acws is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.acw_ms is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.alerts is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.alert_ms is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.not_responding is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.not_responding_ms is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.dialing is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.dialing_ms is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.contacting is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.contacting_ms is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.voicemails is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.voicemail_ms is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.agent_responses is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.agent_response_ms is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.user_responses is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.user_response_ms is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.ivrs is 'As in reporting.queue_intervals, but null instead of 0.';
comment on column etl.shown_queue_intervals.ivr_ms is 'As in reporting.queue_intervals, but null instead of 0.';

-- Days that lie wholly between from_time and to_time come from the days. As its owner, since it reads schema etl;
-- with a plan for each call, since an hour and a year need different ones.
create or replace function reporting.agent_performance(from_time timestamptz, to_time timestamptz, granularity text default '30 minutes')
returns setof reporting.agent_performance_rows
language plpgsql stable parallel safe security definer rows 10000 set search_path = pg_catalog, pg_temp set jit = off set work_mem = '64MB'
set plan_cache_mode = force_custom_plan as $$
declare
  zone text := (select time_zone from reporting.settings);
  first_of_week integer := (select first_day_of_week from reporting.settings);
  -- null: the periods are local days, weeks or months
  step interval := case when granularity in ('15 minutes', '30 minutes', '1 hour') then granularity end;
  first_day date := (from_time at time zone zone)::date;
  last_day date := (to_time at time zone zone)::date;
  -- the whole days are [first_whole, last_day)
  first_whole date := first_day + case when etl.local_midnight(first_day, zone) < from_time then 1 else 0 end;
  -- what comes from the intervals: [from_time, first_end) and [last_start, to_time)
  first_end timestamptz := to_time;
  last_start timestamptz := to_time;
  -- a period of the caller can begin and end long before and after everything that is stored
  first_stored date := least(
    (select (least(min(interval_start), (select min(hour) from etl.dirty_hours)) at time zone zone)::date from etl.agent_intervals),
    -- of months that were dropped, the days are left
    (select min(day) from etl.agent_days where time_zone = zone));
  last_stored date := greatest(
    (select (greatest(max(interval_start), (select max(hour) + interval '1 hour' from etl.dirty_hours)) at time zone zone)::date from etl.agent_intervals),
    (select max(day) from etl.agent_days where time_zone = zone));
begin
  perform etl.require_granularity(granularity);
  if from_time is null or to_time is null or from_time >= to_time or first_stored is null then
    return;
  end if;
  if step is null and first_whole < last_day then
    first_end := etl.local_midnight(first_whole, zone);
    last_start := etl.local_midnight(last_day, zone);
  end if;
  return query
  with periods as materialized (
    select * from etl.local_periods(zone, first_of_week, granularity, greatest(first_day, first_stored), least(last_day, last_stored))
  ), whole_days as (
    select etl.period_of(day, granularity, first_of_week) as period, queue_id, user_id, media_type, direction, max(updated_at) as updated_at,
      etl.total(offered) as offered, etl.total(over_service_level) as over_service_level, etl.total(transferred) as transferred,
      etl.total(blind_transferred) as blind_transferred, etl.total(consult_transferred) as consult_transferred,
      etl.total(consults) as consults, etl.total(outbound) as outbound, etl.total(outbound_attempted) as outbound_attempted,
      etl.total(outbound_connected) as outbound_connected, etl.total(outbound_abandoned) as outbound_abandoned,
      etl.total(connected) as connected, etl.total(errors) as errors, etl.total(answered) as answered,
      etl.total(answer_ms) as answer_ms, max(answer_ms_max) as answer_ms_max, etl.total(abandoned) as abandoned,
      etl.total(abandon_ms) as abandon_ms, max(abandon_ms_max) as abandon_ms_max, etl.total(short_abandoned) as short_abandoned,
      etl.total(flow_outs) as flow_outs, etl.total(waits) as waits, etl.total(wait_ms) as wait_ms,
      max(wait_ms_max) as wait_ms_max, etl.total(handled) as handled, etl.total(handle_ms) as handle_ms,
      max(handle_ms_max) as handle_ms_max, etl.total(talks) as talks, etl.total(talk_ms) as talk_ms, etl.total(holds) as holds,
      etl.total(hold_ms) as hold_ms, etl.total(acws) as acws, etl.total(acw_ms) as acw_ms, etl.total(alerts) as alerts,
      etl.total(alert_ms) as alert_ms, etl.total(not_responding) as not_responding,
      etl.total(not_responding_ms) as not_responding_ms, etl.total(dialing) as dialing, etl.total(dialing_ms) as dialing_ms,
      etl.total(contacting) as contacting, etl.total(contacting_ms) as contacting_ms, etl.total(voicemails) as voicemails,
      etl.total(voicemail_ms) as voicemail_ms, etl.total(agent_responses) as agent_responses,
      etl.total(agent_response_ms) as agent_response_ms, etl.total(user_responses) as user_responses,
      etl.total(user_response_ms) as user_response_ms, etl.total(ivrs) as ivrs, etl.total(ivr_ms) as ivr_ms
    from etl.shown_agent_days
    where step is null and day >= first_whole and day < last_day
    group by 1, queue_id, user_id, media_type, direction
  ), pieces as (
    select case when step is null then d.period_start else date_bin(step, i.interval_start, d.midnight) end as period_start,
      case when step is null then d.period_end else least(date_bin(step, i.interval_start, d.midnight) + step, d.next_midnight) end as period_end,
      i.queue_id, i.user_id, i.media_type, i.direction, i.updated_at,
      i.offered, i.over_service_level, i.transferred, i.blind_transferred, i.consult_transferred, i.consults, i.outbound,
      i.outbound_attempted, i.outbound_connected, i.outbound_abandoned, i.connected, i.errors, i.answered, i.answer_ms,
      i.answer_ms_max, i.abandoned, i.abandon_ms, i.abandon_ms_max, i.short_abandoned, i.flow_outs, i.waits, i.wait_ms,
      i.wait_ms_max, i.handled, i.handle_ms, i.handle_ms_max, i.talks, i.talk_ms, i.holds, i.hold_ms, i.acws, i.acw_ms, i.alerts,
      i.alert_ms, i.not_responding, i.not_responding_ms, i.dialing, i.dialing_ms, i.contacting, i.contacting_ms, i.voicemails,
      i.voicemail_ms, i.agent_responses, i.agent_response_ms, i.user_responses, i.user_response_ms, i.ivrs, i.ivr_ms
    from etl.shown_agent_intervals i join periods d on d.day = (i.interval_start at time zone zone)::date
    where i.interval_start >= from_time and i.interval_start < first_end
    union all
    select d.period_start, d.period_end, i.queue_id, i.user_id, i.media_type, i.direction, i.updated_at,
      i.offered, i.over_service_level, i.transferred, i.blind_transferred, i.consult_transferred, i.consults, i.outbound,
      i.outbound_attempted, i.outbound_connected, i.outbound_abandoned, i.connected, i.errors, i.answered, i.answer_ms,
      i.answer_ms_max, i.abandoned, i.abandon_ms, i.abandon_ms_max, i.short_abandoned, i.flow_outs, i.waits, i.wait_ms,
      i.wait_ms_max, i.handled, i.handle_ms, i.handle_ms_max, i.talks, i.talk_ms, i.holds, i.hold_ms, i.acws, i.acw_ms, i.alerts,
      i.alert_ms, i.not_responding, i.not_responding_ms, i.dialing, i.dialing_ms, i.contacting, i.contacting_ms, i.voicemails,
      i.voicemail_ms, i.agent_responses, i.agent_response_ms, i.user_responses, i.user_response_ms, i.ivrs, i.ivr_ms
    from etl.shown_agent_intervals i join periods d on d.day = (i.interval_start at time zone zone)::date
    where last_start < to_time and i.interval_start >= last_start and i.interval_start < to_time
    union all
    select d.period_start, d.period_end, i.queue_id, i.user_id, i.media_type, i.direction, i.updated_at,
      i.offered, i.over_service_level, i.transferred, i.blind_transferred, i.consult_transferred, i.consults, i.outbound,
      i.outbound_attempted, i.outbound_connected, i.outbound_abandoned, i.connected, i.errors, i.answered, i.answer_ms,
      i.answer_ms_max, i.abandoned, i.abandon_ms, i.abandon_ms_max, i.short_abandoned, i.flow_outs, i.waits, i.wait_ms,
      i.wait_ms_max, i.handled, i.handle_ms, i.handle_ms_max, i.talks, i.talk_ms, i.holds, i.hold_ms, i.acws, i.acw_ms, i.alerts,
      i.alert_ms, i.not_responding, i.not_responding_ms, i.dialing, i.dialing_ms, i.contacting, i.contacting_ms, i.voicemails,
      i.voicemail_ms, i.agent_responses, i.agent_response_ms, i.user_responses, i.user_response_ms, i.ivrs, i.ivr_ms
    from whole_days i join (select distinct period, period_start, period_end from periods) d using (period)
  ), x as (
    select period_start, period_end, queue_id, user_id, media_type, direction, max(updated_at) as updated_at,
      coalesce(etl.total(offered), 0) as offered, coalesce(etl.total(over_service_level), 0) as over_service_level,
      coalesce(etl.total(transferred), 0) as transferred, coalesce(etl.total(blind_transferred), 0) as blind_transferred,
      coalesce(etl.total(consult_transferred), 0) as consult_transferred, coalesce(etl.total(consults), 0) as consults,
      coalesce(etl.total(outbound), 0) as outbound, coalesce(etl.total(outbound_attempted), 0) as outbound_attempted,
      coalesce(etl.total(outbound_connected), 0) as outbound_connected,
      coalesce(etl.total(outbound_abandoned), 0) as outbound_abandoned, coalesce(etl.total(connected), 0) as connected,
      coalesce(etl.total(errors), 0) as errors, coalesce(etl.total(answered), 0) as answered,
      coalesce(etl.total(answer_ms), 0) as answer_ms, max(answer_ms_max) as answer_ms_max,
      coalesce(etl.total(abandoned), 0) as abandoned, coalesce(etl.total(abandon_ms), 0) as abandon_ms,
      max(abandon_ms_max) as abandon_ms_max, coalesce(etl.total(short_abandoned), 0) as short_abandoned,
      coalesce(etl.total(flow_outs), 0) as flow_outs, coalesce(etl.total(waits), 0) as waits,
      coalesce(etl.total(wait_ms), 0) as wait_ms, max(wait_ms_max) as wait_ms_max, coalesce(etl.total(handled), 0) as handled,
      coalesce(etl.total(handle_ms), 0) as handle_ms, max(handle_ms_max) as handle_ms_max, coalesce(etl.total(talks), 0) as talks,
      coalesce(etl.total(talk_ms), 0) as talk_ms, coalesce(etl.total(holds), 0) as holds,
      coalesce(etl.total(hold_ms), 0) as hold_ms, coalesce(etl.total(acws), 0) as acws, coalesce(etl.total(acw_ms), 0) as acw_ms,
      coalesce(etl.total(alerts), 0) as alerts, coalesce(etl.total(alert_ms), 0) as alert_ms,
      coalesce(etl.total(not_responding), 0) as not_responding, coalesce(etl.total(not_responding_ms), 0) as not_responding_ms,
      coalesce(etl.total(dialing), 0) as dialing, coalesce(etl.total(dialing_ms), 0) as dialing_ms,
      coalesce(etl.total(contacting), 0) as contacting, coalesce(etl.total(contacting_ms), 0) as contacting_ms,
      coalesce(etl.total(voicemails), 0) as voicemails, coalesce(etl.total(voicemail_ms), 0) as voicemail_ms,
      coalesce(etl.total(agent_responses), 0) as agent_responses, coalesce(etl.total(agent_response_ms), 0) as agent_response_ms,
      coalesce(etl.total(user_responses), 0) as user_responses, coalesce(etl.total(user_response_ms), 0) as user_response_ms,
      coalesce(etl.total(ivrs), 0) as ivrs, coalesce(etl.total(ivr_ms), 0) as ivr_ms
    from pieces
    group by period_start, period_end, queue_id, user_id, media_type, direction
  )
  select greatest(x.period_start, from_time), least(x.period_end, to_time), x.queue_id, x.user_id, x.media_type, x.direction, coalesce(q.name, x.queue_id), coalesce(u.name, x.user_id),
  t.name, x.updated_at,
    x.offered, x.over_service_level, x.transferred, x.blind_transferred, x.consult_transferred, x.consults, x.outbound,
    x.outbound_attempted, x.outbound_connected, x.outbound_abandoned, x.connected, x.errors, x.answered, x.answer_ms,
    x.answer_ms_max, x.abandoned, x.abandon_ms, x.abandon_ms_max, x.short_abandoned, x.flow_outs, x.waits, x.wait_ms,
    x.wait_ms_max, x.handled, x.handle_ms, x.handle_ms_max, x.talks, x.talk_ms, x.holds, x.hold_ms, x.acws, x.acw_ms, x.alerts,
    x.alert_ms, x.not_responding, x.not_responding_ms, x.dialing, x.dialing_ms, x.contacting, x.contacting_ms, x.voicemails,
    x.voicemail_ms, x.agent_responses, x.agent_response_ms, x.user_responses, x.user_response_ms, x.ivrs, x.ivr_ms,
    reporting.seconds(x.answer_ms, x.answered),
    reporting.seconds(x.wait_ms, x.waits),
    reporting.seconds(x.talk_ms, x.talks),
    reporting.seconds(x.hold_ms, x.holds),
    reporting.seconds(x.acw_ms, x.acws),
    reporting.seconds(x.handle_ms, x.handled),
    reporting.ratio(x.transferred, x.handled)
  from x
left join genesys.dim_queues q on q.id = x.queue_id
left join genesys.dim_users u on u.id = x.user_id
left join etl.user_teams t on t.user_id = x.user_id;
end $$;
comment on function reporting.agent_performance(timestamptz, timestamptz, text) is
  'KPIs by period, queue, agent, media type and direction between two instants; rows as reporting.agent_performance_rows. Granularities: 15 minutes, 30 minutes, 1 hour (steps from local midnight), 1 day, 1 week, 1 month (local, by reporting.settings). A metric counts if its interval begins within [from_time, to_time).';

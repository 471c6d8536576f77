-- Day by day, so that each reads its part of the index. A function, so that its costs and its plan count only where there is an unclean
-- day. Stable: it sees what the query sees.
create or replace function etl.unclean_agent_days() returns setof etl.agent_days
language plpgsql stable parallel safe security definer rows 1000 set search_path = pg_catalog, pg_temp set jit = off set work_mem = '64MB' as $$
declare
  zone text := (select time_zone from reporting.settings);
  shown timestamptz := (select shown_from from etl.derivation);
  unclean date;
  low timestamptz;
  high timestamptz;
begin
  for unclean in select u.day from etl.unclean_days() u (day) where not etl.lacks_agents(u.day, zone) loop
    low := greatest(etl.local_midnight(unclean, zone), shown);
    high := etl.local_midnight(unclean + 1, zone);
    return query
      select zone, unclean, null::uuid, x.queue_id, x.user_id, x.media_type, x.direction, max(x.updated_at),
        etl.total(x.offered), etl.total(x.over_service_level), etl.total(x.transferred), etl.total(x.blind_transferred),
        etl.total(x.consult_transferred), etl.total(x.consults), etl.total(x.outbound), etl.total(x.outbound_attempted),
        etl.total(x.outbound_connected), etl.total(x.outbound_abandoned), etl.total(x.connected), etl.total(x.errors),
        etl.total(x.answered), etl.total(x.answer_ms), max(x.answer_ms_max), etl.total(x.abandoned), etl.total(x.abandon_ms),
        max(x.abandon_ms_max), etl.total(x.short_abandoned), etl.total(x.flow_outs), etl.total(x.waits), etl.total(x.wait_ms),
        max(x.wait_ms_max), etl.total(x.handled), etl.total(x.handle_ms), max(x.handle_ms_max), etl.total(x.talks),
        etl.total(x.talk_ms), etl.total(x.holds), etl.total(x.hold_ms), etl.total(x.acws), etl.total(x.acw_ms),
        etl.total(x.alerts), etl.total(x.alert_ms), etl.total(x.not_responding), etl.total(x.not_responding_ms),
        etl.total(x.dialing), etl.total(x.dialing_ms), etl.total(x.contacting), etl.total(x.contacting_ms),
        etl.total(x.voicemails), etl.total(x.voicemail_ms), etl.total(x.agent_responses), etl.total(x.agent_response_ms),
        etl.total(x.user_responses), etl.total(x.user_response_ms), etl.total(x.ivrs), etl.total(x.ivr_ms)
      from (
        select queue_id, user_id, media_type, direction, updated_at,
          offered, over_service_level, transferred, blind_transferred, consult_transferred, consults, outbound,
          outbound_attempted, outbound_connected, outbound_abandoned, connected, errors, answered, answer_ms, answer_ms_max,
          abandoned, abandon_ms, abandon_ms_max, short_abandoned, flow_outs, waits, wait_ms, wait_ms_max, handled, handle_ms,
          handle_ms_max, talks, talk_ms, holds, hold_ms, acws, acw_ms, alerts, alert_ms, not_responding, not_responding_ms,
          dialing, dialing_ms, contacting, contacting_ms, voicemails, voicemail_ms, agent_responses, agent_response_ms,
          user_responses, user_response_ms, ivrs, ivr_ms
        from etl.agent_intervals i
        where i.interval_start >= low and i.interval_start < high
          and not exists (select from etl.dirty_hours d where d.hour = date_bin('1 hour', i.interval_start, 'epoch'))
        union all
        select queue_id, user_id, media_type, direction, now(),
          offered, over_service_level, transferred, blind_transferred, consult_transferred, consults, outbound,
          outbound_attempted, outbound_connected, outbound_abandoned, connected, errors, answered, answer_ms, answer_ms_max,
          abandoned, abandon_ms, abandon_ms_max, short_abandoned, flow_outs, waits, wait_ms, wait_ms_max, handled, handle_ms,
          handle_ms_max, talks, talk_ms, holds, hold_ms, acws, acw_ms, alerts, alert_ms, not_responding, not_responding_ms,
          dialing, dialing_ms, contacting, contacting_ms, voicemails, voicemail_ms, agent_responses, agent_response_ms,
          user_responses, user_response_ms, ivrs, ivr_ms
        from etl.dirty_cells(low, high) where user_id is not null) x
      group by x.queue_id, x.user_id, x.media_type, x.direction;
  end loop;
end $$;
comment on function etl.unclean_agent_days() is
  'The rows of etl.unclean_days() as etl.agent_days would have them, computed from intervals and cells; without days that lack rows of agents, since their month was dropped.';

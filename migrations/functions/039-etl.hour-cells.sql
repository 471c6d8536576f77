create or replace function etl.hour_cells(hour timestamptz) returns setof etl.interval_cells language sql stable parallel safe as $$
  select conversation_id, conversation_start, _index, interval_start, queue_id, user_id, media_type, direction, originating_direction,
    etl.countable(offered), etl.countable(over_service_level), etl.countable(transferred), etl.countable(blind_transferred),
    etl.countable(consult_transferred), etl.countable(consults), etl.countable(outbound), etl.countable(outbound_attempted),
    etl.countable(outbound_connected), etl.countable(outbound_abandoned), etl.countable(connected), etl.countable(errors),
    etl.countable(answered), etl.countable(answer_ms), etl.countable(answer_ms_max), etl.countable(abandoned),
    etl.countable(abandon_ms), etl.countable(abandon_ms_max), etl.countable(short_abandoned), etl.countable(flow_outs),
    etl.countable(waits), etl.countable(wait_ms), etl.countable(wait_ms_max), etl.countable(handled), etl.countable(handle_ms),
    etl.countable(handle_ms_max), etl.countable(talks), etl.countable(talk_ms), etl.countable(holds), etl.countable(hold_ms),
    etl.countable(acws), etl.countable(acw_ms), etl.countable(alerts), etl.countable(alert_ms), etl.countable(not_responding),
    etl.countable(not_responding_ms), etl.countable(dialing), etl.countable(dialing_ms), etl.countable(contacting),
    etl.countable(contacting_ms), etl.countable(voicemails), etl.countable(voicemail_ms), etl.countable(agent_responses),
    etl.countable(agent_response_ms), etl.countable(user_responses), etl.countable(user_response_ms), etl.countable(ivrs),
    etl.countable(ivr_ms)
  from etl.interval_cells
  where interval_start >= hour and interval_start < hour + interval '1 hour'
$$;
comment on function etl.hour_cells(timestamptz) is 'The cells of the four intervals of an hour, with values that can be added up.';

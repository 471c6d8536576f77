-- One conversation after the other, as in 070-wrap-ups.sql. Numbering by conversation lets a condition on its id and start reach every
-- table below, so that reporting.timeline plans one month of each; "on" hands it over.
create or replace view reporting.conversation_timeline as
select c.conversation_id, c.conversation_start, c._loaded_at as updated_at, t.position, t.at, t.until, t.event,
  coalesce(u.name, t.user_id, t.party) as who, coalesce(q.name, t.queue_id) as queue_name, t.detail, t.user_id, t.queue_id, t.media_type,
  t._session_index, case when (select etl.shows_personal()) then t.note end as note
from genesys.conversations c
join lateral (
  select e.*, row_number() over (partition by e.conversation_id, e.conversation_start
    order by coalesce(e.at, e.until), e.rank, e._session_index, e._index)::integer as position
  from (
    select g.conversation_id, g.conversation_start, x.at, x.until, x.event, x.rank, p.user_id, p.purpose as party, g.queue_id, s.media_type,
      x.detail, g._session_index, g._index, case x.event when 'wrap_up' then g.wrap_up_note end as note
    from (
      select g.*, row_number() over session = 1 as is_first, lead(true) over session is null as is_last,
        count(*) filter (where g.segment_type = 'interact') over session = 1 as is_first_interact,
        case when count(*) over whole = count(g.segment_end) over whole then max(g.segment_end) over whole end as session_end
      from genesys.segments g
      window session as (partition by g.conversation_id, g.conversation_start, g._session_index
          order by coalesce(g.segment_start, '-infinity'), g._index),
        whole as (session rows between unbounded preceding and unbounded following)) g
    join genesys.sessions s
      on s.conversation_id = g.conversation_id and s.conversation_start = g.conversation_start and s._index = g._session_index
    join genesys.participants p
      on p.conversation_id = g.conversation_id and p.conversation_start = g.conversation_start and p._index = g._participant_index
    left join genesys.flows f
      on f.conversation_id = g.conversation_id and f.conversation_start = g.conversation_start and f._session_index = g._session_index
    left join genesys.dim_flows d on d.id = f.flow_id
    left join genesys.dim_wrap_up_codes w on w.id = g.wrap_up_code
    left join (
      select m.conversation_id, m.conversation_start, m._session_index,
        case when bool_or(m.name = 'tShortAbandon') then 'short_abandoned' when bool_or(m.name = 'tAbandon') then 'abandoned'
          else 'flow_out' end as outcome
      from genesys.session_metrics m
      where m.name in ('tAbandon', 'tShortAbandon', 'tFlowOut') and m.value is not null
      group by m.conversation_id, m.conversation_start, m._session_index) o
      on o.conversation_id = g.conversation_id and o.conversation_start = g.conversation_start and o._session_index = g._session_index
    cross join lateral (
      select case when p.purpose = 'acd' then 'queue' when p.purpose in ('agent', 'user') then 'agent'
        when p.purpose in ('ivr', 'botflow', 'workflow', 'voicesurveyflow') then 'flow' else 'other' end as kind) k
    cross join lateral (values
      (k.kind = 'other' and g.is_first, 'connect', 10, g.segment_start, g.session_end, concat_ws(', ', s.media_type, s.direction)),
      (k.kind = 'flow' and g.is_first, 'ivr', 20, g.segment_start, g.session_end,
        concat_ws(', ', coalesce(d.name, f.flow_name, f.flow_id), f.exit_reason)),
      (k.kind = 'queue' and g.is_first, 'queue_entered', 40, g.segment_start, g.session_end, null),
      (k.kind = 'queue' and g.is_last and g.session_end is not null, 'queue_left', 60, g.session_end, null,
        coalesce(o.outcome, g.disconnect_type)),
      (k.kind = 'agent' and g.segment_type = 'interact' and g.is_first_interact, 'answer', 70, g.segment_start, g.segment_end, null),
      (k.kind = 'agent' and g.segment_type = 'interact' and not g.is_first_interact, 'talk', 80, g.segment_start, g.segment_end, null),
      (g.segment_type = 'wrapup', 'wrap_up', 100, g.segment_start, g.segment_end, coalesce(w.name, g.wrap_up_code)),
      -- alert, hold, dialing, contacting, voicemail, monitoring, …
      (g.segment_type not in ('interact', 'wrapup', 'ivr', 'delay', 'system'), g.segment_type,
        case g.segment_type when 'alert' then 50 else 80 end, g.segment_start, g.segment_end, null),
      (k.kind in ('agent', 'other') and g.disconnect_type is not null, 'disconnect', 90, coalesce(g.segment_end, g.segment_start), null,
        g.disconnect_type)) x (happens, event, rank, at, until, detail)
    where x.happens
    union all
    -- of the queue that the session was in at that time: as in 015-metric-events.sql
    select m.conversation_id, m.conversation_start, m.emit_date, null, m.event, case m.event when 'transfer' then 30 else 85 end, p.user_id,
      p.purpose, (array_agg(g.queue_id order by case when g.began <= m.emit_date then g.began end desc nulls last,
        case when g.began <= m.emit_date then g._index end desc, g.began, g._index))[1], s.media_type,
      case when bool_or(m.name = 'nConsultTransferred') then 'consult' when bool_or(m.name = 'nBlindTransferred') then 'blind' end,
      m._session_index, min(m._index), null
    from (
      select *, case name when 'nConsult' then 'consult' else 'transfer' end as event from genesys.session_metrics
      where name in ('nTransferred', 'nBlindTransferred', 'nConsultTransferred', 'nConsult') and value > 0) m
    join genesys.sessions s
      on s.conversation_id = m.conversation_id and s.conversation_start = m.conversation_start and s._index = m._session_index
    join genesys.participants p
      on p.conversation_id = m.conversation_id and p.conversation_start = m.conversation_start and p._index = s._participant_index
    left join (
      select *, coalesce(segment_start, '-infinity') as began from genesys.segments where queue_id is not null) g
      on g.conversation_id = m.conversation_id and g.conversation_start = m.conversation_start and g._session_index = m._session_index
    group by m.conversation_id, m.conversation_start, m._session_index, m.emit_date, m.event, p.user_id, p.purpose, s.media_type
    union all
    select v.conversation_id, v.conversation_start, v.event_time, null, 'evaluation', 110, v.evaluator_id, null, v.queue_id, null,
      concat_ws(', ', coalesce(f.name, v.form_name, v.form_id), v.evaluation_status, v.o_total_score || ' %'), null, v._index, null
    from genesys.evaluations v
    left join genesys.dim_evaluation_forms f on f.id = v.form_id
    union all
    select y.conversation_id, y.conversation_start, coalesce(y.survey_completed_date, y.event_time), null, 'survey', 120, null, 'customer',
      y.queue_id, null, concat_ws(', ', coalesce(f.name, y.survey_form_name, y.survey_form_id), y.survey_status, y.o_survey_total_score || ' %'),
      null, y._index, null
    from genesys.surveys y
    left join genesys.dim_survey_forms f on f.id = y.survey_form_id) e
  where e.conversation_id = c.conversation_id and e.conversation_start = c.conversation_start) t
  on t.conversation_id = c.conversation_id and t.conversation_start = c.conversation_start
left join genesys.dim_users u on u.id = t.user_id
left join genesys.dim_queues q on q.id = t.queue_id
where c._missing_since is null;

comment on view reporting.conversation_timeline is
  'What happened in a conversation, in order: one row per event. For one conversation use reporting.timeline(conversation_id), which is fast by the id alone. Without conversations that Genesys has no more. Times are those of segments and metrics as Genesys sent them; KPIs come from metrics alone.';
comment on column reporting.conversation_timeline.conversation_id is 'The conversation.';
comment on column reporting.conversation_timeline.conversation_start is 'Its start: the tables are partitioned by its month.';
comment on column reporting.conversation_timeline.updated_at is 'When the conversation was last written, for incremental models.';
comment on column reporting.conversation_timeline.position is
  'Place in the order of the conversation, from 1: by time; at equal times by what follows from what (connect, ivr, transfer, queue_entered, alert, queue_left, answer, hold and the like, consult, disconnect, wrap_up, evaluation, survey), then in the order of Genesys. Events without a readable time come last.';
comment on column reporting.conversation_timeline.at is 'When it happened or began; null where Genesys sent no readable time.';
comment on column reporting.conversation_timeline.until is 'When it ended; null of what has no length, and of what goes on.';
comment on column reporting.conversation_timeline.event is
  'connect (the customer or another party outside: the whole session), ivr (a flow: the whole session), queue_entered (the whole stay), queue_left, alert, answer (the first talk of an agent), talk (after a hold), hold, transfer, consult, wrap_up, disconnect, evaluation, survey; else the segment_type: dialing, contacting, scheduled, voicemail, monitoring, …';
comment on column reporting.conversation_timeline.who is 'Name of the agent, of evaluations that of the evaluator (the id where the name is unknown); of others the purpose of the participant: customer, ivr, acd, …';
comment on column reporting.conversation_timeline.queue_name is 'Name of the queue of the event; the id where the name is unknown.';
comment on column reporting.conversation_timeline.detail is
  'Of connect media type and direction, of ivr the flow and how it ended, of queue_left short_abandoned, abandoned or flow_out, else what ended the stay, of transfer blind or consult, of wrap_up the code, of disconnect who or what ended it, of evaluation and survey form, state and score.';
comment on column reporting.conversation_timeline.user_id is 'The agent, of evaluations the evaluator; null for others.';
comment on column reporting.conversation_timeline.queue_id is 'Queue of the event: of the segment, of transfer and consult the one in which the session was at that time; null where there is none.';
comment on column reporting.conversation_timeline.media_type is 'Media type of the session; null for evaluations and surveys.';
comment on column reporting.conversation_timeline._session_index is 'Position of the session in genesys.sessions; null for evaluations and surveys.';
comment on column reporting.conversation_timeline.note is 'Of wrap_up the note that the agent wrote. Personal: null for roles that may not read it.';

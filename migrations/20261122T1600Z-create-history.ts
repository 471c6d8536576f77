import { sql, type Kysely } from 'kysely'

/** Schema genesys: the twelve tables of the history, partitioned by month of conversation_start. */
const genesysTables = `
create table genesys.conversations (
  conversation_id text not null,
  conversation_start timestamptz not null,
  _index integer not null,
  access_attributes text[],
  associated_conversation_id text,
  conference_start timestamptz,
  consultation_conversation_ids text[],
  conversation_end timestamptz,
  conversation_initiator text,
  customer_participation boolean,
  division_ids text[],
  external_tag text,
  inactivity_timeout timestamptz,
  knowledge_base_ids text[],
  media_stats_min_conversation_mos double precision,
  media_stats_min_conversation_r_factor double precision,
  originating_direction text,
  originating_social_media_public boolean,
  self_served boolean,
  _extra jsonb,
  _loaded_at timestamptz not null default now(),
  _source text not null,
  _run_id bigint,
  primary key (conversation_id, conversation_start)
) partition by range (conversation_start);
create index on genesys.conversations using brin (conversation_start) with (pages_per_range = 32, autosummarize = on);
create index on genesys.conversations (_loaded_at);

create table genesys.participants (
  conversation_id text not null,
  conversation_start timestamptz not null,
  _index integer not null,
  external_contact_id text,
  external_organization_id text,
  flagged_reason text,
  participant_id text,
  participant_name text,
  purpose text,
  screen_recording boolean,
  team_id text,
  user_id text,
  _extra jsonb,
  primary key (conversation_id, conversation_start, _index)
) partition by range (conversation_start);
create index on genesys.participants using brin (conversation_start) with (pages_per_range = 32, autosummarize = on);

create table genesys.participant_attributes (
  conversation_id text not null,
  conversation_start timestamptz not null,
  _index integer not null,
  _participant_index integer not null,
  participant_id text,
  attributes jsonb,
  _extra jsonb,
  primary key (conversation_id, conversation_start, _index)
) partition by range (conversation_start);
create index on genesys.participant_attributes using brin (conversation_start) with (pages_per_range = 32, autosummarize = on);

create table genesys.sessions (
  conversation_id text not null,
  conversation_start timestamptz not null,
  _index integer not null,
  _participant_index integer not null,
  participant_id text,
  active_skill_ids text[],
  acw_skipped boolean,
  address_from text,
  address_other text,
  address_self text,
  address_to text,
  agent_assistant_id text,
  agent_bullseye_ring bigint,
  agent_owned boolean,
  ani text,
  assigner_id text,
  authenticated boolean,
  barged_participant_id text,
  bcc text[],
  callback_numbers text[],
  callback_scheduled_time timestamptz,
  callback_user_name text,
  cc text[],
  cleared boolean,
  coached_participant_id text,
  cobrowse_role text,
  cobrowse_room_id text,
  delivery_pushed boolean,
  delivery_status text,
  delivery_status_change_date timestamptz,
  destination_addresses text[],
  detected_speech_end timestamptz,
  detected_speech_start timestamptz,
  direction text,
  disposition_analyzer text,
  disposition_name text,
  dnis text,
  edge_id text,
  eligible_agent_counts bigint[],
  engagement_source text,
  error_code_description text,
  extended_delivery_status text,
  flow_in_type text,
  flow_out_type text,
  journey_action_id text,
  journey_action_map_id text,
  journey_action_map_version bigint,
  journey_customer_id text,
  journey_customer_id_type text,
  journey_customer_session_id text,
  journey_customer_session_id_type text,
  media_bridge_id text,
  media_count bigint,
  media_type text,
  message_type text,
  monitored_participant_id text,
  outbound_campaign_id text,
  outbound_contact_id text,
  outbound_contact_list_id text,
  peer_id text,
  protocol_call_id text,
  provider text,
  recording boolean,
  remote text,
  remote_name_displayable text,
  removed_skill_ids text[],
  requested_routings text[],
  room_id text,
  routing_ring bigint,
  routing_rule text,
  routing_rule_type text,
  screen_monitored_user_id text,
  screen_share_address_self text,
  screen_share_room_id text,
  script_id text,
  selected_agent_id text,
  selected_agent_rank bigint,
  session_dnis text,
  session_id text,
  sharing_screen boolean,
  skill_expression_id text,
  skip_enabled boolean,
  snippet_recording boolean,
  timeout_seconds bigint,
  used_routing text,
  video_address_self text,
  video_room_id text,
  waiting_interaction_counts bigint[],
  agent_groups jsonb,
  proposed_agents jsonb,
  _extra jsonb,
  primary key (conversation_id, conversation_start, _index)
) partition by range (conversation_start);
create index on genesys.sessions using brin (conversation_start) with (pages_per_range = 32, autosummarize = on);

create table genesys.segments (
  conversation_id text not null,
  conversation_start timestamptz not null,
  _index integer not null,
  _participant_index integer not null,
  _session_index integer not null,
  participant_id text,
  session_id text,
  audio_muted boolean,
  conference boolean,
  destination_conversation_id text,
  destination_session_id text,
  disconnect_type text,
  error_code text,
  group_id text,
  q850_response_codes bigint[],
  queue_id text,
  requested_language_id text,
  requested_routing_skill_ids text[],
  requested_routing_user_ids text[],
  segment_end timestamptz,
  segment_start timestamptz,
  segment_type text,
  sip_response_codes bigint[],
  source_conversation_id text,
  source_session_id text,
  subject text,
  video_muted boolean,
  wrap_up_code text,
  wrap_up_note text,
  wrap_up_tags text[],
  scored_agents jsonb,
  properties jsonb,
  _extra jsonb,
  primary key (conversation_id, conversation_start, _index)
) partition by range (conversation_start);
create index on genesys.segments using brin (conversation_start) with (pages_per_range = 32, autosummarize = on);

create table genesys.session_metrics (
  conversation_id text not null,
  conversation_start timestamptz not null,
  _index integer not null,
  _session_index integer not null,
  emit_date timestamptz,
  name text,
  value bigint,
  _extra jsonb,
  primary key (conversation_id, conversation_start, _index)
) partition by range (conversation_start);
create index on genesys.session_metrics using brin (conversation_start) with (pages_per_range = 32, autosummarize = on);

create table genesys.media_endpoint_stats (
  conversation_id text not null,
  conversation_start timestamptz not null,
  _index integer not null,
  _session_index integer not null,
  codecs text[],
  discarded_packets bigint,
  duplicate_packets bigint,
  event_time timestamptz,
  invalid_packets bigint,
  max_latency_ms bigint,
  min_mos double precision,
  min_r_factor double precision,
  overrun_packets bigint,
  received_packets bigint,
  underrun_packets bigint,
  _extra jsonb,
  primary key (conversation_id, conversation_start, _index)
) partition by range (conversation_start);
create index on genesys.media_endpoint_stats using brin (conversation_start) with (pages_per_range = 32, autosummarize = on);

create table genesys.flows (
  conversation_id text not null,
  conversation_start timestamptz not null,
  _index integer not null,
  _participant_index integer not null,
  _session_index integer not null,
  participant_id text,
  session_id text,
  ending_language text,
  entry_reason text,
  entry_type text,
  exit_reason text,
  flow_id text,
  flow_name text,
  flow_type text,
  flow_version text,
  issued_callback boolean,
  recognition_failure_reason text,
  starting_language text,
  transfer_target_address text,
  transfer_target_name text,
  transfer_type text,
  _extra jsonb,
  primary key (conversation_id, conversation_start, _index)
) partition by range (conversation_start);
create index on genesys.flows using brin (conversation_start) with (pages_per_range = 32, autosummarize = on);

create table genesys.flow_outcomes (
  conversation_id text not null,
  conversation_start timestamptz not null,
  _index integer not null,
  _participant_index integer not null,
  _session_index integer not null,
  participant_id text,
  session_id text,
  flow_outcome text,
  flow_outcome_end_timestamp timestamptz,
  flow_outcome_id text,
  flow_outcome_start_timestamp timestamptz,
  flow_outcome_value text,
  _extra jsonb,
  primary key (conversation_id, conversation_start, _index)
) partition by range (conversation_start);
create index on genesys.flow_outcomes using brin (conversation_start) with (pages_per_range = 32, autosummarize = on);

create table genesys.evaluations (
  conversation_id text not null,
  conversation_start timestamptz not null,
  _index integer not null,
  assignee_applicable boolean,
  assignee_id text,
  calibration_id text,
  context_id text,
  deleted boolean,
  evaluation_id text,
  evaluation_status text,
  evaluator_id text,
  event_time timestamptz,
  form_id text,
  form_name text,
  queue_id text,
  released boolean,
  rescored boolean,
  system_submitted boolean,
  user_id text,
  o_total_critical_score bigint,
  o_total_score bigint,
  _extra jsonb,
  primary key (conversation_id, conversation_start, _index)
) partition by range (conversation_start);
create index on genesys.evaluations using brin (conversation_start) with (pages_per_range = 32, autosummarize = on);

create table genesys.surveys (
  conversation_id text not null,
  conversation_start timestamptz not null,
  _index integer not null,
  event_time timestamptz,
  queue_id text,
  survey_completed_date timestamptz,
  survey_form_context_id text,
  survey_form_id text,
  survey_form_name text,
  survey_id text,
  survey_partial_response boolean,
  survey_promoter_score bigint,
  survey_status text,
  survey_type text,
  user_id text,
  o_survey_total_score bigint,
  _extra jsonb,
  primary key (conversation_id, conversation_start, _index)
) partition by range (conversation_start);
create index on genesys.surveys using brin (conversation_start) with (pages_per_range = 32, autosummarize = on);

create table genesys.resolutions (
  conversation_id text not null,
  conversation_start timestamptz not null,
  _index integer not null,
  event_time timestamptz,
  queue_id text,
  user_id text,
  n_next_contact_avoided bigint,
  _extra jsonb,
  primary key (conversation_id, conversation_start, _index)
) partition by range (conversation_start);
create index on genesys.resolutions using brin (conversation_start) with (pages_per_range = 32, autosummarize = on);

`

/** Schema etl: the pipeline's own books. */
const etlTables = `
create table etl.runs (
  id bigint generated always as identity primary key,
  job text not null,
  trigger text not null,
  started_at timestamptz not null default now(),
  finished_at timestamptz,
  cycle_started_at timestamptz not null default now(),
  status text not null default 'running' check (status in ('running', 'done', 'partial', 'failed', 'interrupted')),
  parameters jsonb not null default '{}',
  plan jsonb,
  counts jsonb,
  error_code text,
  error text,
  hint text,
  host text,
  version text
);
create index on etl.runs (job, id);

create table etl.windows (
  id bigint generated always as identity primary key,
  stream text not null,
  source text not null,
  filter jsonb not null default '{}',
  start timestamptz not null,
  "end" timestamptz not null,
  status text not null check (status in ('done', 'provisional', 'unstable', 'failed')),
  attempts integer not null default 1,
  hits bigint,
  counts jsonb,
  read_at timestamptz,
  recorded_at timestamptz not null default now(),
  next_attempt_at timestamptz,
  error_code text,
  error text,
  run_id bigint,
  check (start < "end"),
  unique (stream, source, filter, start, "end")
);
create index on etl.windows (stream, start);

create table etl.conversations (
  conversation_id text primary key,
  conversation_start timestamptz not null,
  content_hash text not null,
  attributes_hash text,
  fetched_at timestamptz not null,
  confirmed_at timestamptz not null default now(),
  previous_start timestamptz,
  previous_content_hash text,
  previous_attributes_hash text
) with (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.1);

create table etl.rejected_records (
  id bigint generated always as identity primary key,
  stream text not null,
  conversation_id text,
  reason text not null,
  raw jsonb not null,
  raw_hash text not null,
  times bigint not null default 1,
  run_id bigint,
  rejected_at timestamptz not null default now(),
  last_rejected_at timestamptz not null default now(),
  resolved_at timestamptz,
  unique (stream, raw_hash)
);
create index on etl.rejected_records (conversation_id) where resolved_at is null;

create table etl.meta (
  key text primary key,
  value jsonb not null,
  updated_at timestamptz not null default now()
);
`

const names = [
  'genesys.conversations',
  'genesys.participants',
  'genesys.participant_attributes',
  'genesys.sessions',
  'genesys.segments',
  'genesys.session_metrics',
  'genesys.media_endpoint_stats',
  'genesys.flows',
  'genesys.flow_outcomes',
  'genesys.evaluations',
  'genesys.surveys',
  'genesys.resolutions',
  'etl.runs',
  'etl.windows',
  'etl.conversations',
  'etl.rejected_records',
  'etl.meta',
]

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const schema of ['genesys', 'reporting', 'etl']) {
    await sql`create schema if not exists ${sql.id(schema)}`.execute(db)
  }
  await sql.raw(genesysTables).execute(db)
  await sql.raw(etlTables).execute(db)
}

/** Drops all data. Schema etl stays, since the record of the migrations lives there. */
export async function down(db: Kysely<unknown>): Promise<void> {
  for (const name of names) await sql`drop table ${sql.raw(name)}`.execute(db)
  await sql`drop schema genesys`.execute(db)
  await sql`drop schema reporting`.execute(db)
}

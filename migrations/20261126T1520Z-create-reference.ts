import { sql, type Kysely } from 'kysely'

/**
 * Names and settings of what conversations refer to by id: users, queues, wrap-up codes and so on, and when each of these lists was last
 * read. Only new tables, which are empty.
 */
const times = `_first_seen_at timestamptz not null default now(),
  _changed_at timestamptz not null default now(),
  _deleted_at timestamptz`

const statements = `
create table genesys.dim_users (
  id text primary key,
  name text,
  division_id text,
  state text,
  email text,
  username text,
  preferred_name text,
  department text,
  title text,
  manager_id text,
  _extra jsonb,
  ${times}
);

create table genesys.dim_queues (
  id text primary key,
  name text,
  division_id text,
  description text,
  date_created timestamptz,
  date_modified timestamptz,
  _extra jsonb,
  ${times}
);

create table genesys.dim_queue_service_levels (
  queue_id text not null,
  media_type text not null,
  target double precision,
  threshold_ms bigint,
  _extra jsonb,
  _valid_from timestamptz not null default now(),
  _valid_to timestamptz,
  ${times},
  primary key (queue_id, media_type, _valid_from)
);
create unique index on genesys.dim_queue_service_levels (queue_id, media_type) where _valid_to is null;

create table genesys.dim_queue_members (
  queue_id text not null,
  user_id text not null,
  joined boolean,
  ring_number bigint,
  member_by text,
  _extra jsonb,
  ${times},
  primary key (queue_id, user_id)
);
create index on genesys.dim_queue_members (user_id);

create table genesys.dim_wrap_up_codes (
  id text primary key,
  name text,
  division_id text,
  description text,
  is_system boolean not null default false,
  date_created timestamptz,
  date_modified timestamptz,
  _extra jsonb,
  ${times}
);

create table genesys.dim_divisions (
  id text primary key,
  name text,
  description text,
  home_division boolean,
  _extra jsonb,
  ${times}
);

create table genesys.dim_skills (
  id text primary key,
  name text,
  division_id text,
  state text,
  date_modified timestamptz,
  _extra jsonb,
  ${times}
);

create table genesys.dim_languages (
  id text primary key,
  name text,
  state text,
  date_modified timestamptz,
  _extra jsonb,
  ${times}
);

create table genesys.dim_skill_groups (
  id text primary key,
  name text,
  division_id text,
  description text,
  date_created timestamptz,
  date_modified timestamptz,
  _extra jsonb,
  ${times}
);

create table genesys.dim_flows (
  id text primary key,
  name text,
  division_id text,
  type text,
  description text,
  active boolean,
  system boolean,
  deleted boolean,
  published_version text,
  _extra jsonb,
  ${times}
);

create table genesys.dim_flow_outcomes (
  id text primary key,
  name text,
  division_id text,
  description text,
  _extra jsonb,
  ${times}
);

create table genesys.dim_flow_milestones (
  id text primary key,
  name text,
  division_id text,
  description text,
  _extra jsonb,
  ${times}
);

create table genesys.dim_teams (
  id text primary key,
  name text,
  division_id text,
  description text,
  date_created timestamptz,
  date_modified timestamptz,
  _extra jsonb,
  ${times}
);

create table genesys.dim_team_members (
  team_id text not null,
  user_id text not null,
  _extra jsonb,
  ${times},
  primary key (team_id, user_id)
);
create index on genesys.dim_team_members (user_id);

create table genesys.dim_groups (
  id text primary key,
  name text,
  type text,
  state text,
  visibility text,
  description text,
  date_modified timestamptz,
  _extra jsonb,
  ${times}
);

create table genesys.dim_locations (
  id text primary key,
  name text,
  state text,
  city text,
  country text,
  _extra jsonb,
  ${times}
);

create table genesys.dim_presence_definitions (
  id text primary key,
  name text,
  division_id text,
  system_presence text,
  type text,
  deactivated boolean,
  _extra jsonb,
  ${times}
);

create table genesys.dim_evaluation_forms (
  id text primary key,
  name text,
  division_id text,
  context_id text,
  published boolean,
  modified_date timestamptz,
  _extra jsonb,
  ${times}
);

create table genesys.dim_survey_forms (
  id text primary key,
  name text,
  division_id text,
  context_id text,
  language text,
  published boolean,
  disabled boolean,
  modified_date timestamptz,
  _extra jsonb,
  ${times}
);

create table genesys.dim_campaigns (
  id text primary key,
  name text,
  division_id text,
  campaign_status text,
  dialing_mode text,
  queue_id text,
  contact_list_id text,
  date_created timestamptz,
  date_modified timestamptz,
  _extra jsonb,
  ${times}
);

create table genesys.dim_contact_lists (
  id text primary key,
  name text,
  division_id text,
  date_created timestamptz,
  date_modified timestamptz,
  _extra jsonb,
  ${times}
);

create table etl.reference_reads (
  entity text primary key,
  read_at timestamptz,
  rows bigint,
  attempted_at timestamptz not null default now(),
  error_code text,
  error text,
  hint text
);
`

const TABLES = [
  'genesys.dim_users',
  'genesys.dim_queues',
  'genesys.dim_queue_service_levels',
  'genesys.dim_queue_members',
  'genesys.dim_wrap_up_codes',
  'genesys.dim_divisions',
  'genesys.dim_skills',
  'genesys.dim_languages',
  'genesys.dim_skill_groups',
  'genesys.dim_flows',
  'genesys.dim_flow_outcomes',
  'genesys.dim_flow_milestones',
  'genesys.dim_teams',
  'genesys.dim_team_members',
  'genesys.dim_groups',
  'genesys.dim_locations',
  'genesys.dim_presence_definitions',
  'genesys.dim_evaluation_forms',
  'genesys.dim_survey_forms',
  'genesys.dim_campaigns',
  'genesys.dim_contact_lists',
  'etl.reference_reads',
]

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(statements).execute(db)
}

/** Drops the names; the history stays. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`set local lock_timeout = '3s'`.execute(db)
  await sql.raw(`drop table ${TABLES.join(', ')}`).execute(db)
}

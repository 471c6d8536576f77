import { type ColumnType, type Generated, type GeneratedAlways } from 'kysely'
import { type ErrorKind } from '../errors.ts'
import { type GenesysTables, type TableName } from '../model/columns.ts'

/** Written as Date or as text (which keeps microseconds), read as Date. */
type Instant = ColumnType<Date, Date | string, Date | string>
type InstantByDefault = ColumnType<Date, Date | string | undefined, Date | string>
type OptionalInstant = ColumnType<Date | null, Date | string | null | undefined, Date | string | null>
/** Written as JSON text, read as the value. */
type Json<Value> = ColumnType<Value, string, string>
type OptionalJson<Value> = ColumnType<Value | null, string | null | undefined, string | null>

export type RunStatus = 'running' | 'done' | 'failed' | 'interrupted'
/** What started a run. */
export type RunTrigger = 'cron' | 'manual' | 'demo' | 'load'
export type WindowStatus = 'done' | 'provisional' | 'unstable' | 'failed'
export type JsonRecord = Readonly<Record<string, unknown>>

/** etl.runs: one row per job run. */
interface RunsTable {
  id: GeneratedAlways<number>
  job: string
  trigger: RunTrigger
  started_at: InstantByDefault
  finished_at: OptionalInstant
  cycle_started_at: InstantByDefault
  status: Generated<RunStatus>
  parameters: Json<JsonRecord>
  plan: OptionalJson<unknown>
  counts: OptionalJson<JsonRecord>
  error_code: string | null
  error: string | null
  hint: string | null
  host: string | null
  version: string | null
  error_kind: ErrorKind | null
}

/** etl.windows: what has been read, window by window. */
interface WindowsTable {
  id: GeneratedAlways<number>
  stream: string
  source: string
  filter: Json<JsonRecord>
  start: Instant
  end: Instant
  status: WindowStatus
  attempts: number
  hits: number | null
  counts: OptionalJson<JsonRecord>
  read_at: OptionalInstant
  recorded_at: InstantByDefault
  next_attempt_at: OptionalInstant
  error_code: string | null
  error: string | null
  run_id: number | null
}

/** etl.conversations: the row that decides which version of a conversation is stored. */
interface DecidingConversationsTable {
  conversation_id: string
  conversation_start: Instant
  content_hash: string
  attributes_hash: string | null
  fetched_at: Instant
  confirmed_at: Instant
  previous_start: OptionalInstant
  previous_content_hash: string | null
  previous_attributes_hash: string | null
  derived_hash: string | null
  derived_version: number | null
  attributes_fetched_at: OptionalInstant
}

/** etl.details_jobs: jobs that Genesys has for us. */
interface DetailsJobsTable {
  job_id: string
  stream: string
  filter: Json<JsonRecord>
  start: Instant
  end: Instant
  submitted_at: Instant
  available_until: Instant
  run_id: number | null
}

/** etl.interval_cells: what each conversation adds to each interval. Beside these columns it has one for each measure. */
interface IntervalCellsTable {
  conversation_id: string
  conversation_start: Instant
  _index: number
  interval_start: Instant
  queue_id: string | null
  user_id: string | null
  media_type: string | null
  direction: string | null
  originating_direction: string | null
}

/** etl.dirty_hours: hours whose cells have changed since they were summed up. */
interface DirtyHoursTable {
  hour: Instant
  dirtied_at: InstantByDefault
}

/** etl.unsettled: the conversations that may still change. */
interface UnsettledTable {
  conversation_id: string
  conversation_start: Instant
  ended_at: OptionalInstant
  reread_at: OptionalInstant
}

/** Why a conversation is not in the tables any more, or not under that start. */
export type DeletionReason = 'missing' | 'moved' | 'erased'

/** etl.deletions: what has left the tables. */
interface DeletionsTable {
  id: GeneratedAlways<number>
  conversation_id: string
  conversation_start: Instant
  at: InstantByDefault
  reason: DeletionReason
}

/** By what an erasure was asked for. */
export type ErasureKey = 'conversation_id' | 'external_contact_id' | 'address' | 'gdpr_request'

/** etl.erasures: one row per erasure. */
interface ErasuresTable {
  id: GeneratedAlways<number>
  started_at: InstantByDefault
  finished_at: OptionalInstant
  database_user: Generated<string>
  os_user: string | null
  key_kind: ErasureKey
  keys: number
  keep_statistics: boolean
  request_id: string | null
  conversations: Generated<number>
  rejected_records: Generated<number>
  deleted: ColumnType<Readonly<Record<string, number>>, string | undefined, string>
}

/** etl.tombstones: conversations that were erased and are not loaded again. */
interface TombstonesTable {
  conversation_id: string
  erased_at: InstantByDefault
  erasure_id: number
  pending: Generated<boolean>
}

/** etl.erased_records: rejected records without an id that were erased and are not kept again. */
interface ErasedRecordsTable {
  raw_hash: string
  erasure_id: number
}

/** etl.dropped_months: months of the history that are not kept any more. */
interface DroppedMonthsTable {
  month: Instant
  started_at: OptionalInstant
  frozen_at: OptionalInstant
  agents_until: OptionalInstant
  finished_at: OptionalInstant
  conversations: Generated<number>
  restored_at: OptionalInstant
  kept_until: OptionalInstant
}

/** etl.settling: how far etl.unsettled has been filled. */
interface SettlingTable {
  settle_days: number
  position_start: OptionalInstant
  position_id: string | null
  updated_at: InstantByDefault
}

/** etl.rejected_records: what could not be loaded, each content once. */
interface RejectedRecordsTable {
  id: GeneratedAlways<number>
  stream: string
  conversation_id: string | null
  reason: string
  raw: Json<unknown>
  raw_hash: string
  times: Generated<number>
  run_id: number | null
  rejected_at: InstantByDefault
  last_rejected_at: InstantByDefault
  resolved_at: OptionalInstant
  fetched_at: OptionalInstant
}

/** etl.reconciliations: figures that differ from Genesys'. */
interface ReconciliationsTable {
  id: GeneratedAlways<number>
  run_id: number
  day: ColumnType<Date, string, never>
  interval_start: Instant
  queue_id: string | null
  media_type: string | null
  user_id: string | null
  metric: string
  statistic: string
  /** numeric, which the driver reads as text. */
  ours: string
  theirs: string
  class: string
  conversations: string[]
  created_at: InstantByDefault
}

/** etl.reconciled_days: the days that were compared with Genesys. */
interface ReconciledDaysTable {
  day: ColumnType<Date, string, never>
  filter: Json<JsonRecord>
  reconciled_at: InstantByDefault
  run_id: number
  by_user: boolean
  cells: number
  differences: number
  expected: number
}

/** etl.meta: single facts by name. */
interface MetaTable {
  key: string
  value: Json<unknown>
  updated_at: InstantByDefault
}

/** An element of genesys.live_conversations.agents. */
interface LiveAgentJson {
  readonly user_id: string
  readonly state: string
  readonly state_since: string | null
  readonly queue_id: string | null
}

/** genesys.live_conversations: what is open as of the latest complete snapshot. */
interface LiveConversationsTable {
  conversation_id: string
  conversation_start: Instant
  media_type: string | null
  message_type: string | null
  direction: string | null
  state: string
  state_since: OptionalInstant
  queue_id: string | null
  user_id: string | null
  user_ids: string[] | null
  waiting_since: OptionalInstant
  division_ids: string[] | null
  participants: number
  skill_ids: string[] | null
  language_id: string | null
  scheduled_at: OptionalInstant
  snapshot_at: Instant
  agents: OptionalJson<readonly LiveAgentJson[]>
}

/** genesys.live_snapshots: one row per snapshot, failed ones included. */
interface LiveSnapshotsTable {
  snapshot_at: Instant
  source: string
  conversations: number | null
  ended: number | null
  duration_ms: number
  requests: number
  complete: boolean
  stretched: Generated<boolean>
  error: string | null
  waiting: number | null
  interacting: number | null
  hold: number | null
}

/** genesys.live_queues: what each snapshot counted, by queue and media type. */
interface LiveQueuesTable {
  snapshot_at: Instant
  queue_id: string
  media_type: string
  waiting: number
  alerting: number
  interacting: number
  hold: number
  acw: number
  longest_wait_seconds: number | null
  on_queue_users: number | null
  off_queue_users: number | null
}

/** genesys.live_today: the figures of the local day, by queue and (without queue_id) of all contacts. */
interface LiveTodayTable {
  queue_id: string | null
  day: Instant
  time_zone: string
  source: string
  read_at: Instant
  offered: number
  answered: number
  answer_ms: number
  abandoned: number
  answered_in_time: number
  service_level_contacts: number
}

/** etl.webhook_outbox: messages for WEBHOOK_URL. */
interface WebhookOutboxTable {
  id: GeneratedAlways<number>
  message_id: string
  conversation_id: string
  event: string
  payload: Json<JsonRecord>
  created_at: InstantByDefault
  attempts: Generated<number>
  next_attempt_at: InstantByDefault
  delivered_at: OptionalInstant
  given_up_at: OptionalInstant
  last_error: string | null
}

/** etl.rereads: conversations that have ended, and when each is due to be read once more. */
interface RereadsTable {
  conversation_id: string
  ended_at: OptionalInstant
  due_at: Instant
}

/** etl.request_budget: what the processes of each OAuth client have leased of their request limit. */
interface RequestBudgetTable {
  client: string
  version: number
  state: Json<unknown>
  leased_at: InstantByDefault
}

/** etl.restricted_readers: the roles that read schema genesys without personal columns. */
interface RestrictedReadersTable {
  role_name: string
  registered_at: InstantByDefault
}

/** etl.reference_reads: how the latest reads of each list of reference data ended. */
interface ReferenceReadsTable {
  entity: string
  read_at: OptionalInstant
  rows: number | null
  attempted_at: InstantByDefault
  error_code: string | null
  error: string | null
  hint: string | null
}

type PrefixedGenesys = { [T in TableName as `genesys.${T}`]: GenesysTables<Date>[T] }

/** Kysely's view of the warehouse. Schema genesys comes from the model, schema etl is declared here. */
export interface Database extends PrefixedGenesys {
  'etl.runs': RunsTable
  'etl.windows': WindowsTable
  'etl.conversations': DecidingConversationsTable
  'etl.interval_cells': IntervalCellsTable
  'etl.dirty_hours': DirtyHoursTable
  'etl.unsettled': UnsettledTable
  'etl.settling': SettlingTable
  'etl.deletions': DeletionsTable
  'etl.details_jobs': DetailsJobsTable
  'etl.erasures': ErasuresTable
  'etl.tombstones': TombstonesTable
  'etl.erased_records': ErasedRecordsTable
  'etl.dropped_months': DroppedMonthsTable
  'etl.rejected_records': RejectedRecordsTable
  'etl.reconciliations': ReconciliationsTable
  'etl.reconciled_days': ReconciledDaysTable
  'etl.meta': MetaTable
  'etl.webhook_outbox': WebhookOutboxTable
  'etl.rereads': RereadsTable
  'etl.request_budget': RequestBudgetTable
  'etl.reference_reads': ReferenceReadsTable
  'etl.restricted_readers': RestrictedReadersTable
  'genesys.live_conversations': LiveConversationsTable
  'genesys.live_snapshots': LiveSnapshotsTable
  'genesys.live_queues': LiveQueuesTable
  'genesys.live_today': LiveTodayTable
}

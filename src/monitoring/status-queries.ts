/** Queries for the status: jobs, rejected records, live data and webhook deliveries. */
import { sql, type Kysely } from 'kysely'
import { type ErrorKind } from '../errors.ts'
import { GONE_MARK } from '../webhooks/outbox.ts'
import { CLOCK_TOLERANCE_MS } from '../model/interval.ts'
import { readRetention } from '../loader/dropped-months.ts'
import { timesNotDue } from '../model/retention.ts'
import { type Warehouse } from '../postgres/connect.ts'
import { SETTLE_WITHIN_DAYS, STUCK_AFTER_DAYS } from '../settled/ages.ts'
import { type Database, type JsonRecord, type RunStatus } from '../postgres/database.ts'
import {
  type DeliveryRecord,
  type ErasureRecord,
  type FutureDates,
  type JobRecord,
  type LiveRecord,
  type ReferenceRecord,
  type RejectedReason,
  type RetentionRecord,
  type RunSummary,
  type SettlingRecord,
} from './records.ts'

/** A job that last ran before this is left out: a backfill of last month says nothing about today. The weekly one stays. */
const JOB_MEMORY = sql`interval '8 days'`
const REASONS_SHOWN = 5
const STUCK_NAMED = 3
const CLOCK_TOLERANCE = sql.raw(`interval '${CLOCK_TOLERANCE_MS} milliseconds'`)

interface RunRow {
  id: number
  job: string
  trigger: string
  status: RunStatus
  started_at: Date
  finished_at: Date | null
  counts: JsonRecord | null
  error_code: string | null
  error_kind: ErrorKind | null
  error: string | null
  hint: string | null
}

interface JobRow extends RunRow {
  last_success_at: Date | null
  failures: number
  last_failure: (Omit<RunRow, 'started_at' | 'finished_at'> & { started_at: string; finished_at: string | null }) | null
}

/** Each job that ran during the last week, by name: its last run, its last success, and its failures since, with the latest of them. */
export async function selectJobRecords(db: Kysely<Database>): Promise<JobRecord[]> {
  const { rows } = await sql<JobRow>`
    with last as (
      select distinct on (job) * from etl.runs where started_at > now() - ${JOB_MEMORY} order by job, id desc)
    select last.id, last.job, last.trigger, last.status, last.started_at, last.finished_at, last.counts, last.error_code,
      last.error_kind, last.error, last.hint, success.finished_at as last_success_at,
      (select count(*) from etl.runs r
        where r.job = last.job and r.id > coalesce(success.id, 0) and r.status = 'failed')::int as failures,
      (select to_jsonb(r) - 'plan' from etl.runs r
        where r.job = last.job and r.id > coalesce(success.id, 0) and r.status = 'failed'
        order by r.id desc limit 1) as last_failure
    from last left join lateral (
      select id, finished_at from etl.runs r where r.job = last.job and r.status in ('done', 'partial')
      order by id desc limit 1) success on true
    order by last.job`.execute(db)
  return rows.map((row) => ({
    job: row.job,
    lastRun: toRunSummary(row),
    lastSuccessAt: row.last_success_at,
    failuresInARow: row.failures,
    lastFailure: row.last_failure && toRunSummary(withDates(row.last_failure)),
  }))
}

/**
 * When the last successful run of the job started; null if there is none. Runs that failed or were interrupted by a restart
 * do not count, so that the next start of the service catches up. Neither does a run dated in the future by a clock that was
 * ahead: it would hide a missed tick.
 */
export async function selectLastSettledStart(db: Kysely<Database>, job: string): Promise<Date | null> {
  const { rows } = await sql<{ started_at: Date }>`
    select started_at from etl.runs
    where job = ${job} and status in ('done', 'partial') and started_at <= clock_timestamp()
    order by id desc limit 1`.execute(db)
  return rows[0]?.started_at ?? null
}

/** What may still change of the stored conversations; by indexes, whatever the length of the history. */
export async function selectSettling(db: Kysely<Database>): Promise<SettlingRecord> {
  const isStuck = sql`ended_at is null and conversation_start < now() - make_interval(days => ${STUCK_AFTER_DAYS}::int)`
  const { rows } = await sql<Omit<SettlingRecord, 'deepReadAt'>>`
    select
      (select count(*)::int from etl.unsettled where ended_at is null) as open,
      (select count(*)::int from etl.unsettled where ${isStuck}) as stuck,
      array(select conversation_id from etl.unsettled where ${isStuck} order by conversation_start limit ${STUCK_NAMED})
        as "oldestStuck",
      (select count(*)::int from etl.unsettled
        where ended_at < now() - make_interval(days => settle_days + ${SETTLE_WITHIN_DAYS}::int)) as overdue
    from reporting.settings`.execute(db)
  const deepReadAt = await selectLastSettledStart(db, 'deep')
  return { ...(rows[0] ?? { open: 0, stuck: 0, oldestStuck: [], overdue: 0 }), deepReadAt }
}

/** Erasures that are not complete, also those of which only the tombstones were restored; by indexes. */
export async function selectErasures(db: Kysely<Database>): Promise<ErasureRecord> {
  const { rows } = await sql<ErasureRecord>`
    with pending as (
      select erasure_id as id, count(*) as conversations, min(erased_at) as since from etl.tombstones where pending group by 1
    ), unfinished as (
      select id, coalesce(conversations, 0) as conversations, coalesce(e.started_at, since) as since
      from (select id, started_at from etl.erasures where finished_at is null) e full join pending using (id)
    )
    select count(*)::int as unfinished, coalesce(sum(conversations), 0)::int as conversations, min(since) as "oldestAt"
    from unfinished`.execute(db)
  return rows[0]!
}

/** How the latest reads of each list of reference data ended, by name. */
export async function selectReferenceRecords(db: Kysely<Database>): Promise<ReferenceRecord[]> {
  const rows = await db.selectFrom('etl.reference_reads').selectAll().orderBy('entity').execute()
  return rows.map((row) => ({
    list: row.entity,
    readAt: row.read_at,
    rows: row.rows,
    errorCode: row.error_code,
    error: row.error,
    hint: row.hint,
  }))
}

/** The reasons of unresolved rejected records, the most frequent first. */
export async function selectRejectedReasons(db: Kysely<Database>): Promise<RejectedReason[]> {
  const { rows } = await sql<{ reason: string; records: number; last_at: Date }>`
    select reason, count(*)::int as records, max(last_rejected_at) as last_at from etl.rejected_records
    where resolved_at is null group by reason order by 2 desc, 1 limit ${REASONS_SHOWN}`.execute(db)
  return rows.map((row) => ({ reason: row.reason, records: row.records, lastAt: row.last_at }))
}

interface SnapshotRow {
  snapshot_at: Date
  source: string
  conversations: number | null
  duration_ms: number
  requests: number
  stretched: boolean
  error: string | null
}

/** The newest complete snapshot, the failures since, and the open conversations; null if no snapshot was ever attempted. */
export async function selectLiveRecord(db: Kysely<Database>): Promise<LiveRecord | null> {
  const newest = async (condition: ReturnType<typeof sql>): Promise<SnapshotRow | undefined> => {
    const { rows } = await sql<SnapshotRow>`
      select snapshot_at, source, conversations, duration_ms, requests, stretched, error from genesys.live_snapshots
      where ${condition} order by snapshot_at desc limit 1`.execute(db)
    return rows[0]
  }
  const complete = await newest(sql`complete`)
  // A snapshot dated in the future would hide every failure until then.
  const base = await newest(sql`complete and snapshot_at <= clock_timestamp()`)
  const isFailed = sql`not complete and snapshot_at > ${base?.snapshot_at ?? new Date(0)}`
  const failed = await newest(isFailed)
  if (!complete && !failed) return null
  const { rows: failures } = await sql<{ count: number }>`
    select count(*)::int as count from genesys.live_snapshots where ${isFailed}`.execute(db)
  const { rows: states } = await sql<{ state: string; conversations: number }>`
    select state, count(*)::int as conversations from genesys.live_conversations group by state`.execute(db)
  return {
    snapshot: complete
      ? {
          at: complete.snapshot_at,
          source: complete.source,
          conversations: complete.conversations ?? 0,
          durationMs: complete.duration_ms,
          requests: complete.requests,
          stretched: complete.stretched,
        }
      : null,
    failure: failed
      ? { at: failed.snapshot_at, error: failed.error ?? 'no reason was recorded', inARow: failures[0]?.count ?? 0 }
      : null,
    byState: Object.fromEntries(states.map(({ state, conversations }) => [state, conversations])),
  }
}

/**
 * Data dated later than the database's clock, beyond the tolerance: it was written while that clock was ahead. The windows of
 * the ledger are checked by statusDocument.
 */
export async function selectFutureDates(db: Kysely<Database>): Promise<FutureDates> {
  const { rows } = await sql<{ snapshot_at: Date | null; loaded_at: Date | null }>`
    select
      (select max(snapshot_at) from genesys.live_snapshots
        where complete and snapshot_at > now() + ${CLOCK_TOLERANCE}) as snapshot_at,
      (select max(_loaded_at) from genesys.conversations where _loaded_at > now() + ${CLOCK_TOLERANCE}) as loaded_at`.execute(
    db,
  )
  return { snapshotAt: rows[0]?.snapshot_at ?? null, loadedAt: rows[0]?.loaded_at ?? null }
}

/**
 * How many conversations are dated as fetched in the future. Reads all of etl.conversations: for doctor, not for the status.
 */
export async function countFetchedInFuture(db: Kysely<Database>): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from etl.conversations where fetched_at > now() + ${CLOCK_TOLERANCE}`.execute(db)
  return rows[0]?.count ?? 0
}

/** Messages pending for WEBHOOK_URL, and those abandoned during the last day. */
export async function selectDeliveries(db: Kysely<Database>): Promise<DeliveryRecord> {
  const { rows } = await sql<{
    pending: number
    oldest: Date | null
    given_up: number
    last_error: string | null
    is_stopped: boolean | null
  }>`
    select count(*) filter (where given_up_at is null)::int as pending,
      min(created_at) filter (where given_up_at is null) as oldest,
      count(*) filter (where given_up_at > now() - interval '1 day')::int as given_up,
      (array_agg(last_error order by id) filter (where last_error is not null))[1] as last_error,
      bool_or(given_up_at is null and last_error like ${`%${GONE_MARK}%`}) as is_stopped
    from etl.webhook_outbox
    where delivered_at is null and (given_up_at is null or given_up_at > now() - interval '1 day')`.execute(db)
  const [row] = rows
  return {
    pending: row?.pending ?? 0,
    oldestPendingAt: row?.oldest ?? null,
    givenUp: row?.given_up ?? 0,
    lastError: row?.last_error ?? null,
    isStopped: row?.is_stopped ?? false,
  }
}

/** A run read as JSON, in which instants are strings. */
function withDates(row: NonNullable<JobRow['last_failure']>): RunRow {
  const { started_at, finished_at } = row
  return { ...row, started_at: new Date(started_at), finished_at: finished_at === null ? null : new Date(finished_at) }
}

function toRunSummary(row: RunRow): RunSummary {
  return {
    id: row.id,
    job: row.job,
    trigger: row.trigger,
    status: row.status,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    counts: row.counts,
    errorCode: row.error_code,
    errorKind: row.error_kind,
    error: row.error,
    hint: row.hint,
  }
}

/** Which months are not kept any more. */
export async function selectRetentionRecord(warehouse: Warehouse): Promise<RetentionRecord> {
  const retention = await readRetention(warehouse)
  const { rows } = await sql<Pick<RetentionRecord, 'dropped' | 'restored' | 'lastDroppedAt'>>`
    select count(*) filter (where restored_at is null)::integer as dropped,
      count(*) filter (where restored_at is not null)::integer as restored, max(finished_at) as "lastDroppedAt"
    from etl.dropped_months`.execute(warehouse.db)
  return { months: warehouse.retentionMonths, floor: retention.floor, ...rows[0]!, notDue: timesNotDue(retention) }
}

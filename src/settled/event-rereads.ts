/**
 * Conversations that got an evaluation, a survey or a resolution after the lookback had read them for the last time: found by these, and
 * read whole. Genesys filters evaluations and surveys by their time; for resolutions it has no such filter, so the days whose number of
 * conversations with a resolution has grown are read.
 */
import { sql, type Kysely } from 'kysely'
import { EtlError } from '../errors.ts'
import { countDetails, within, type DetailsFilter } from '../genesys/details-query.ts'
import type { PartCounts, RunContext, SyncPart } from '../history/context.ts'
import { selectMaintained } from '../history/coverage.ts'
import { loadByQuery } from '../history/load-window.ts'
import { addParts, emptyPartCounts } from '../history/sync-parts.ts'
import { addLoadCounts } from '../loader/load-counts.ts'
import { splitByDay, type Interval } from '../model/interval.ts'
import { selectMeta, upsertMeta } from '../postgres/meta.ts'
import type { Database } from '../postgres/database.ts'
import { recording } from '../postgres/errors.ts'
import { eventsSince, startsToSearch } from './event-plan.ts'

/** What can be added to a conversation after its end. */
type EventKind = 'evaluations' | 'surveys' | 'resolutions'

const KINDS: Readonly<Record<EventKind, (context: RunContext, starts: readonly Interval[]) => Promise<PartCounts>>> = {
  evaluations: (context, starts) =>
    readEvents(context, starts, 'evaluations', (time) => ({ evaluation: [within('eventTime', time)] })),
  surveys: (context, starts) =>
    readEvents(context, starts, 'surveys', (time) => ({
      survey: [within('eventTime', time), within('surveyCompletedDate', time)],
    })),
  resolutions: readResolutions,
}

/**
 * Answers that another night would bring again. That Genesys takes these filters is known from its interface only (docs/real-org-probes.md),
 * and a filter that it refuses must not fail every night.
 */
const REFUSALS: readonly string[] = ['GENESYS_FORBIDDEN', 'GENESYS_BAD_REQUEST']

/** Every night: what got an evaluation, a survey or a resolution since the night before. */
export const eventRereads: SyncPart = {
  name: 'eventRereads',
  async run(context) {
    const { warehouse, history, clock, logger, signal } = context
    const now = clock.now()
    const starts = startsToSearch(await selectMaintained(warehouse, history, now), now, history.lookbackDays)
    if (starts.length === 0) return emptyPartCounts()
    let counts = emptyPartCounts()
    const failures: unknown[] = []
    for (const [kind, read] of Object.entries(KINDS)) {
      try {
        counts = addParts(counts, await read(context, starts))
      } catch (error) {
        signal.throwIfAborted()
        if (error instanceof EtlError && REFUSALS.includes(error.code)) {
          logger.warn({ code: error.code, reason: error.message, hint: error.hint }, `${kind} are not looked for`)
          counts = addParts(counts, { ...emptyPartCounts(), refused: [kind] })
        } else failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
    return counts
  },
}

/**
 * Reads the conversations that have an event since the last time, and remembers the start of this run as the next beginning, after all of
 * them are loaded: what the windows of this run have read before an event happened is then found the next time.
 */
async function readEvents(
  context: RunContext,
  starts: readonly Interval[],
  kind: EventKind,
  filterOf: (time: Interval) => DetailsFilter,
): Promise<PartCounts> {
  const { warehouse, run, clock } = context
  const key = `read_until_${kind}`
  const since = await recording('reading how far events were read', () => selectMeta<string>(warehouse.db, key))
  const time = eventsSince(since === undefined ? null : new Date(since), clock.now())
  const read = await readFiltered(context, starts, kind, filterOf(time))
  await recording('recording how far events were read', () => upsertMeta(warehouse.db, key, run.cycleStartedAt))
  return read
}

/** Reads the days that have more conversations with a resolution than the tables. */
async function readResolutions(context: RunContext, starts: readonly Interval[]): Promise<PartCounts> {
  const { warehouse, genesys, history, signal } = context
  const [newest] = starts
  if (!newest) return emptyPartCounts()
  const events: DetailsFilter = {
    resolution: [{ type: 'metric', metric: 'nNextContactAvoided', operator: 'exists' }],
  }
  const filter = { ...history.filter, ...events }
  const hasMore = async (interval: Interval): Promise<boolean> => {
    const theirs = await countDetails(genesys, interval, filter, { priority: 'history', signal })
    return theirs > (await countResolved(warehouse.db, interval))
  }
  const grown: Interval[] = []
  let requests = 1
  if (await hasMore(newest)) {
    for (const day of splitByDay(newest)) {
      requests++
      if (await hasMore(day)) grown.push(day)
    }
  }
  const read = await readFiltered(context, grown, 'resolutions', events)
  return { ...read, requests: read.requests + requests }
}

/** How many stored conversations that start within an interval have a resolution. */
async function countResolved(db: Kysely<Database>, { start, end }: Interval): Promise<number> {
  const { rows } = await recording('counting resolutions', () =>
    sql<{ count: number }>`
      select count(distinct conversation_id)::int as count from genesys.resolutions
      where conversation_start >= ${start} and conversation_start < ${end}`.execute(db),
  )
  return rows[0]?.count ?? 0
}

/**
 * Reads and loads what of these intervals passes the filter.
 * @throws EtlError EVENTS_UNSTABLE where a read may be incomplete
 */
async function readFiltered(
  context: RunContext,
  intervals: readonly Interval[],
  kind: EventKind,
  events: DetailsFilter,
): Promise<PartCounts> {
  const { progress, history } = context
  const filtered = { ...context, history: { ...history, filter: { ...history.filter, ...events } } }
  let read = emptyPartCounts()
  progress.plan(kind, intervals.length)
  try {
    for (const interval of intervals) {
      const { outcome, counts } = await loadByQuery(filtered, interval)
      read = { ...read, ...addLoadCounts(read, counts), requests: read.requests + outcome.requests }
      if (outcome.instability)
        throw new EtlError(`Conversations with late ${kind}: ${outcome.instability.reason}`, {
          code: 'EVENTS_UNSTABLE',
          kind: 'retryable',
          hint: 'What was read is loaded; the next sync looks for them again.',
        })
    }
  } finally {
    progress.finish()
  }
  return read
}

/**
 * E-mail and message threads reopen for weeks, and may end again between two nights. Jobs deliver what had activity, however old it is; where
 * they are not permitted, the threads of the last 40 days are read again every night.
 */
import { sql } from 'kysely'
import type { DetailsFilter } from '../genesys/details-query.ts'
import type { PartCounts, RunContext, SyncPart } from '../history/context.ts'
import { selectMaintained } from '../history/coverage.ts'
import { selectWindows, type WindowKey } from '../history/ledger.ts'
import { loadWindow, recordFailedWindow } from '../history/load-window.ts'
import { PART_REQUEST_BUDGET } from '../history/nightly-budget.ts'
import type { EstimatedWindow } from '../history/plan.ts'
import { emptyPartCounts } from '../history/sync-parts.ts'
import { addLoadCounts } from '../loader/load-counts.ts'
import { addDays } from '../model/interval.ts'
import { recording } from '../postgres/errors.ts'
import { dueThreadDays, THREAD_DAYS } from './thread-plan.ts'

const THREAD_MEDIA_TYPES: readonly string[] = ['email', 'message']
const STREAM = 'threads'
/** After so many failed days the rest waits for the next sync. */
const MOST_FAILURES = 3
/** Windows of the stream are kept in the ledger for this long after their start: some time after they were read for the last time. */
const KEPT_DAYS = 2 * THREAD_DAYS

/** @param areJobsPermitted whether the OAuth client may read by jobs, which then do more than this part */
export function threads(areJobsPermitted: (context: RunContext) => Promise<boolean>): SyncPart {
  return {
    name: 'threads',
    async run(context) {
      const filter = threadFilter(context.history.filter)
      if (filter === null || (await areJobsPermitted(context))) return emptyPartCounts()
      return await readThreads(context, filter)
    },
  }
}

/** The filter of the history, narrowed to threads; null: it leaves them out. */
function threadFilter(filter: DetailsFilter): DetailsFilter | null {
  const mediaTypes = (filter.mediaTypes ?? THREAD_MEDIA_TYPES).filter((type) => THREAD_MEDIA_TYPES.includes(type))
  return mediaTypes.length === 0 ? null : { ...filter, mediaTypes }
}

/** Reads the days that are due, the longest unread first, until the budget is spent; the ledger has when each was read. */
async function readThreads(context: RunContext, filter: DetailsFilter): Promise<PartCounts> {
  const { warehouse, history, clock, run, progress, signal } = context
  const { db } = warehouse
  const now = clock.now()
  const key: WindowKey = { stream: STREAM, filter }
  const covered = await selectMaintained(warehouse, history, now)
  const ledger = await selectWindows(db, key)
  const due = dueThreadDays({
    covered,
    ledger,
    now,
    lookbackDays: history.lookbackDays,
    cycleStart: run.cycleStartedAt,
  })
  const windows = { ...context, key, history: { ...history, filter } }
  let read = emptyPartCounts()
  const failures: unknown[] = []
  progress.plan('threads', due.length)
  try {
    for (const day of due) {
      if (read.requests >= PART_REQUEST_BUDGET || failures.length >= MOST_FAILURES) break
      const window: EstimatedWindow = { ...day, reason: 'lookback', hits: 0, requests: 1, isCounted: false }
      try {
        const { counts, requests } = await loadWindow(windows, window)
        read = { ...read, ...addLoadCounts(read, counts), requests: read.requests + requests }
      } catch (error) {
        signal.throwIfAborted()
        failures.push(error)
        await recordFailedWindow(windows, window, error)
      }
    }
  } finally {
    progress.finish()
  }
  await recording('forgetting old threads', () =>
    sql`
      delete from etl.windows where stream = ${STREAM} and start < ${addDays(now, -KEPT_DAYS)}`.execute(db),
  )
  if (failures.length > 0) throw failures[0]
  return read
}

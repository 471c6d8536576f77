/** The figures of the local day for the wallboard: optional, so that a snapshot never fails because of them. */
import type { GenesysClient } from '../genesys/client.ts'
import { queryAggregates } from '../genesys/conversation-aggregates.ts'
import { GenesysError } from '../genesys/errors.ts'
import type { Interval } from '../model/interval.ts'
import { storableText } from '../model/json.ts'
import type { Logger } from '../log.ts'
import type { Warehouse } from '../postgres/connect.ts'
import { isStorableId } from './state.ts'
import { figuresOf, TODAY_METRICS, type DayFigures } from './today-figures.ts'
import {
  selectFiguresOf,
  selectLocalDay,
  selectTodayRead,
  writeToday,
  type LocalDay,
  type TodaySource,
} from './today-store.ts'

/** The figures are read again after this long, in whichever process. */
const REFRESH_MS = 5 * 60_000
/** A refused request is repeated after this long. */
const REFUSAL_MS = 3_600_000
/** A slower answer is given up, so that the next snapshot is not late. */
const TIMEOUT_MS = 20_000

/**
 * Brings the figures of the day up to date where they are due. Fails only where it is interrupted.
 * @param at now, by the clock of the database
 */
export type TodayRefresher = (genesys: GenesysClient, at: Date, signal: AbortSignal) => Promise<void>

/**
 * Makes the function that keeps genesys.live_today up to date: from Genesys' own aggregates or, where their permission is missing,
 * from the conversations that are loaded.
 * @param elapsedMs milliseconds since any instant; never goes back
 */
export function createTodayRefresher(options: {
  readonly warehouse: Warehouse
  readonly logger: Logger
  readonly elapsedMs: () => number
}): TodayRefresher {
  const { warehouse, logger, elapsedMs } = options
  let triedAt = Number.NEGATIVE_INFINITY
  let refusedAt = Number.NEGATIVE_INFINITY

  /** Figures from Genesys; null: they are refused to us, or were within the last hour. */
  async function readFromGenesys(
    genesys: GenesysClient,
    day: Interval,
    signal: AbortSignal,
  ): Promise<DayFigures[] | null> {
    if (elapsedMs() - refusedAt < REFUSAL_MS) return null
    try {
      const query = { interval: day, groupBy: ['queueId'], metrics: TODAY_METRICS }
      const figures = figuresOf(await queryAggregates(genesys, query, { priority: 'live', signal }))
      return figures.filter(({ queueId }) => queueId === null || isStorable(queueId))
    } catch (error) {
      if (!(error instanceof GenesysError) || error.status !== 403) throw error
      refusedAt = elapsedMs()
      const { path, hint } = error
      logger.info({ path, hint }, 'the figures of today come from the loaded conversations: the permission is missing')
      return null
    }
  }

  async function refresh(genesys: GenesysClient, at: Date, signal: AbortSignal): Promise<void> {
    const day = await selectLocalDay(warehouse.db, at)
    if (!(await isDue(warehouse, day, at))) return
    const soFar = { start: day.start, end: at }
    const fromGenesys = +soFar.start < +soFar.end ? await readFromGenesys(genesys, soFar, signal) : null
    const source: TodaySource = fromGenesys ? 'genesys' : 'warehouse'
    const figures = fromGenesys ?? (await selectFiguresOf(warehouse.db, day))
    await writeToday(warehouse, { ...day, source, readAt: at }, figures)
  }

  return async (genesys, at, signal) => {
    if (elapsedMs() - triedAt < REFRESH_MS) return
    triedAt = elapsedMs()
    try {
      await refresh(genesys, at, AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]))
    } catch (error) {
      signal.throwIfAborted()
      logger.warn({ err: error }, 'the figures of today could not be read; those read before stay')
    }
  }
}

/** Whether an id can be in the table as it is. */
function isStorable(queueId: string): boolean {
  return isStorableId(queueId) && storableText(queueId) === queueId
}

/** Whether the stored figures are of another day, too old, or of the future, as after a jump of the clock. */
async function isDue(warehouse: Warehouse, { day, timeZone }: LocalDay, at: Date): Promise<boolean> {
  const stored = await selectTodayRead(warehouse.db)
  if (stored === null || stored.day !== day || stored.timeZone !== timeZone) return true
  const ageMs = +at - +stored.readAt
  return ageMs < 0 || ageMs >= REFRESH_MS
}

/** Checks of what has been loaded: the ledger against the tables, dates in the future, and what is derived. */
import { commandLine } from '../../command-line.ts'
import { windowKey } from '../../history/context.ts'
import { selectWindows } from '../../history/ledger.ts'
import { selectEmptyDays, selectEmptyMonths } from '../../history/missing-rows.ts'
import { isFromFuture } from '../../history/plan.ts'
import { readRetention } from '../../loader/dropped-months.ts'
import { outside, timesNotDue } from '../../model/retention.ts'
import {
  countFetchedInFuture,
  selectFutureDates,
  selectRetentionRecord,
  selectSettling,
} from '../../monitoring/status-queries.ts'
import { readDatabaseClock } from '../../postgres/clock.ts'
import { selectPosition } from '../../reporting/derivation.ts'
import { countStalePassed } from '../../reporting/stale.ts'
import { selectDueMonths } from '../../retention/due-months.ts'
import { formatCount, formatNumber } from '../print.ts'
import { type Check, type CheckContext, type Finding } from './check.ts'

const DAYS_NAMED = 5
const MOST_COUNTED = 100_000_000

export const historyChecks: readonly Check[] = [
  { name: 'ledger', needs: 'schema', run: checkLedger },
  { name: 'dates', needs: 'schema', run: checkDates },
  { name: 'retention', needs: 'schema', run: checkRetention },
  { name: 'settling', needs: 'schema', run: checkSettling },
  { name: 'reporting rows', needs: 'schema', run: checkReporting },
]

/** Whether the tables have rows of every day that the ledger calls loaded, and every table has rows of its months. */
async function checkLedger({ app }: CheckContext): Promise<Finding[]> {
  const name = 'ledger'
  const { db } = app.warehouse
  const notDue = timesNotDue(await readRetention(app.warehouse))
  const windows = outside(await selectWindows(db, windowKey(app.config.history)), notDue)
  const days = await selectEmptyDays(db, windows)
  const months = await selectEmptyMonths(db, windows)
  const emptied = months.filter(({ tables }) => !tables.includes('conversations'))
  if (days.length + emptied.length === 0)
    return [{ name, verdict: 'ok', detail: 'the tables have rows of every day that is loaded' }]
  const gaps = [
    ...(days.length > 0 ? [`genesys.conversations has no row of ${nameDays(days)}`] : []),
    ...emptied.map(({ month, tables }) => {
      const names = tables.map((table) => `genesys.${table}`).join(', ')
      return `${names} ${tables.length === 1 ? 'has' : 'have'} no row of ${month}`
    }),
  ]
  return [
    {
      name,
      verdict: 'failed',
      detail: `says that they are loaded, but ${gaps.join('; ')}`,
      fix:
        `Run ${commandLine('verify')} and then ${commandLine('backfill --reload')} over their range. ` +
        'If they were dropped by hand, see "Dropping a month" in docs/operations.md.',
    },
  ]
}

function nameDays(days: readonly string[]): string {
  const named = days.slice(0, DAYS_NAMED).join(', ')
  const rest = days.length - DAYS_NAMED
  return rest > 0 ? `${named} and ${formatCount(rest, 'more day')}` : named
}

/** Whether anything is dated in the future, which only a clock that was ahead can have written. */
async function checkDates({ app }: CheckContext): Promise<Finding[]> {
  const name = 'dates'
  const { db } = app.warehouse
  const now = (await readDatabaseClock(db)).now()
  const all = await selectWindows(db, windowKey(app.config.history))
  const windows = all.filter((window) => isFromFuture(window, now)).length
  const { snapshotAt, loadedAt } = await selectFutureDates(db)
  const fetched = await countFetchedInFuture(db)
  const found = [
    ...(windows > 0 ? [`${formatCount(windows, 'window')} of the ledger`] : []),
    ...(fetched > 0 ? [`${formatCount(fetched, 'conversation')} in etl.conversations`] : []),
    ...(loadedAt ? ['_loaded_at in genesys.conversations'] : []),
    ...(snapshotAt ? ['the newest live snapshot'] : []),
  ]
  if (found.length === 0) return [{ name, verdict: 'ok', detail: 'nothing is dated in the future' }]
  return [
    {
      name,
      verdict: 'warning',
      detail: `dated in the future, by a clock of the database that was ahead: ${found.join(', ')}`,
      fix: `Once that clock is right, the next sync reads again what is due; for older days run ${commandLine('backfill --reload')}.`,
    },
  ]
}

/** Whether what is not kept any more is gone. */
async function checkRetention({ app }: CheckContext): Promise<Finding[]> {
  const name = 'retention'
  const { warehouse } = app
  const { months, floor, dropped, restored } = await selectRetentionRecord(warehouse)
  const due = (await selectDueMonths(warehouse.db, floor)).map(({ start }) => start.toISOString().slice(0, 7))
  if (due.length > 0)
    return [
      {
        name,
        verdict: 'warning',
        detail: `not kept any more, but not dropped completely: ${due.join(', ')}`,
        fix: `The next sync drops them; to do it now: ${commandLine('sync')}. If its log says that locks are held, end long queries and backups meanwhile.`,
      },
    ]
  const kept =
    months === null ? 'every month is kept' : `${formatCount(months, 'month')} before the current one are kept`
  const gone =
    dropped + restored === 0 ? '' : `; ${formatCount(dropped, 'month')} dropped, ${formatNumber(restored)} brought back`
  return [{ name, verdict: 'ok', detail: `${kept}${gone}` }]
}

/** Whether everything that is old enough has settled. */
async function checkSettling({ app }: CheckContext): Promise<Finding[]> {
  const name = 'settling'
  const { open, stuck, oldestStuck, overdue } = await selectSettling(app.warehouse.db)
  const found: Finding[] = []
  if (stuck > 0)
    found.push({
      name,
      verdict: 'warning',
      detail: `${formatCount(stuck, 'conversation')} open for so long that they are not read again: ${oldestStuck.join(', ')}${stuck > oldestStuck.length ? ', …' : ''}`,
      fix: `Disconnect them in Genesys where they are over, then run ${commandLine('backfill --reload')} over the days on which they started.`,
    })
  if (overdue > 0)
    found.push({
      name,
      verdict: 'warning',
      detail: `${formatCount(overdue, 'ended conversation')} overdue to be read once more, since syncs were missed or their budget was used up`,
      fix: `The next syncs read them; to do it now: ${commandLine('sync')}`,
    })
  if (found.length > 0) return found
  return [{ name, verdict: 'ok', detail: `${formatCount(open, 'conversation')} open, nothing overdue` }]
}

/** Whether the reporting rows are those of what is stored. */
async function checkReporting({ app }: CheckContext): Promise<Finding[]> {
  const name = 'reporting rows'
  const { db } = app.warehouse
  const position = await selectPosition(db)
  const stale = await countStalePassed(db, position, MOST_COUNTED)
  const fix = `serve derives them by itself; to do it now: ${commandLine('derive')}`
  const found = [
    ...(position ? ['the history is still being filled (see status)'] : []),
    ...(stale > 0
      ? [`${formatCount(stale, 'conversation')} of what is filled ${stale === 1 ? 'is' : 'are'} stale`]
      : []),
  ]
  if (found.length > 0) return [{ name, verdict: 'warning', detail: found.join('; '), fix }]
  return [{ name, verdict: 'ok', detail: 'derived from what is stored, of every conversation' }]
}

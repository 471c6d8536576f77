/** The KPIs that the demo prints at its end: those of the page of reports. */
import { type Kysely } from 'kysely'
import type { Database } from '../postgres/database.ts'
import { sortGroups } from '../reporting/report-order.ts'
import { readReport, type Figures, type Group } from '../reporting/report-query.ts'
import { defaultSort, type ReportRequest } from '../reporting/report-request.ts'
import { formatNumber, table, type Output } from './print.ts'

export interface Kpis {
  /** Local days, YYYY-MM-DD, both included. */
  readonly first: string
  readonly last: string
  readonly timeZone: string
  /** Ratios of 0 to 1, means in seconds. */
  readonly queues: readonly Group[]
  readonly total: Figures
}

/** Calls alone: an e-mail waits for hours, and with it in the mean nobody could see how long callers wait. */
const LAST_WEEK: ReportRequest = {
  range: '7-days',
  by: 'queue',
  sort: defaultSort('queue'),
  queue: undefined,
  media: 'voice',
  granularity: null,
  theme: null,
}

/** The calls of the last 7 days by queue, those with the most contacts first. */
export async function readKpis(db: Kysely<Database>): Promise<Kpis> {
  const { days, clock, groups, total } = await readReport(db, LAST_WEEK)
  return { ...days, timeZone: clock.timeZone, queues: sortGroups(groups, LAST_WEEK.sort), total }
}

/** Prints them as a table. */
export function printKpis(output: Output, { first, last, timeZone, queues, total }: Kpis): void {
  const percent = (share: number | null): string => (share === null ? '–' : `${formatNumber(share * 100)}%`)
  const row = (name: string, figures: Figures): (string | number | null)[] => [
    name,
    figures.offered,
    figures.answered,
    figures.abandoned,
    percent(figures.service_level),
    figures.average_speed_of_answer_seconds,
    figures.average_handle_seconds,
  ]
  output.line()
  output.line(`Calls by queue, from ${first} to ${last} (${timeZone})`)
  output.line(
    table(
      ['queue', 'offered', 'answered', 'abandoned', 'service level', 'ASA (s)', 'AHT (s)'],
      [...queues.map(({ name, figures }) => row(name ?? 'without a queue', figures)), row('all', total)],
    ),
  )
}

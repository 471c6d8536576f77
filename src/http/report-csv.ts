/** A report as a CSV file. */
import { stringify } from 'csv-stringify/sync'
import { sortGroups } from '../reporting/report-order.ts'
import { type Report } from '../reporting/report-query.ts'
import { FIGURES_OF, type Grouping, type ReportRequest } from '../reporting/report-request.ts'

const NAME_COLUMNS: Readonly<Record<Grouping, readonly string[]>> = {
  queue: ['queue_id', 'queue_name'],
  media: ['media_type'],
  agent: ['user_id', 'user_name', 'team_name'],
}

/**
 * The rows of a report in the order in which the page shows them, under the names of the views' columns: ratios of 0 to 1, times in
 * seconds, nothing where there is no value. RFC 4180 in UTF-8 with a byte order mark, without which spreadsheets misread names. A text
 * that a spreadsheet would take for a formula begins with an apostrophe.
 */
export function reportCsv(
  { by, sort }: Pick<ReportRequest, 'by' | 'sort'>,
  { groups }: Pick<Report, 'groups'>,
): string {
  const figures = FIGURES_OF[by]
  const rows = sortGroups(groups, sort).map(({ id, name, team, figures: values }) => [
    ...[id, name, team].slice(0, NAME_COLUMNS[by].length),
    ...figures.map((figure) => values[figure]),
  ])
  return stringify([[...NAME_COLUMNS[by], ...figures], ...rows], {
    bom: true,
    record_delimiter: 'windows',
    escape_formulas: true,
  })
}

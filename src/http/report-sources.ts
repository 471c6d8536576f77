/** Where the reports get their data: shared between viewers, a few reads at a time. */
import { type Logger } from '../log.ts'
import { type Warehouse } from '../postgres/connect.ts'
import { toEtlError } from '../postgres/errors.ts'
import { requireCurrentSchema } from '../postgres/migrate.ts'
import { readConversationList } from '../reporting/conversation-list.ts'
import { readReport } from '../reporting/report-query.ts'
import { defaultSort, listQuery, reportQuery, type ReportRequest } from '../reporting/report-request.ts'
import { describeError, shareReadsByKey, withDatabaseTimeout } from './database-reads.ts'
import { type ReportSources } from './report-routes.ts'
import { type Reading } from './service-status.ts'

/** Years of a large organization take seconds; nobody waits longer. */
const PAGE_TIMEOUT_MS = 15_000

/** The sources of the report routes. */
export function createReportSources({
  logger,
  warehouse,
  keepMs,
}: {
  readonly logger: Logger
  readonly warehouse: Warehouse
  readonly keepMs: number
}): ReportSources {
  async function reading<Content>(read: () => Promise<Content>): Promise<Reading<Content>> {
    try {
      return { content: await withDatabaseTimeout(PAGE_TIMEOUT_MS, read()), reason: null }
    } catch (error) {
      logger.warn({ err: error }, 'a report could not be read')
      return { content: null, reason: describeError(error) }
    }
  }
  async function explained<Content>(read: () => Promise<Content>): Promise<Content> {
    try {
      return await read()
    } catch (error) {
      // a schema that is behind lacks what is read; saying so says what to do
      await requireCurrentSchema(warehouse.db).catch((reason: unknown) => {
        throw toEtlError(reason, 'reading its migrations')
      })
      throw toEtlError(error, 'reading a report')
    }
  }
  // the order of the rows and the theme concern only how it is shown
  const readKey = (request: ReportRequest): string =>
    reportQuery({ ...request, sort: defaultSort(request.by), theme: null })
  const report = shareReadsByKey(readKey, (request) => explained(() => readReport(warehouse.db, request)), keepMs)
  const conversations = shareReadsByKey(
    listQuery,
    (request) => explained(() => readConversationList(warehouse.db, request)),
    keepMs,
  )
  return {
    report: (request) => reading(() => report(request)),
    conversations: (request) => reading(() => conversations(request)),
  }
}

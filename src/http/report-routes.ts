/** The routes of the reports: a strict address in, a page or a file out. */
import { type Context, type Hono } from 'hono'
import { type ConversationList } from '../reporting/conversation-list.ts'
import { type Report } from '../reporting/report-query.ts'
import {
  parseListRequest,
  parseReportRequest,
  type ListRequest,
  type ReportRequest,
} from '../reporting/report-request.ts'
import { reportCsv } from './report-csv.ts'
import { type Reading } from './service-status.ts'
import { conversationListPage } from './views/conversation-list-page.ts'
import { page, type View } from './views/layout.ts'
import { refusedPage, reportPage } from './views/report-page.ts'

/** Never rejects: if the database cannot be read, the result says so. */
export interface ReportSources {
  readonly report: (request: ReportRequest) => Promise<Reading<Report>>
  readonly conversations: (request: ListRequest) => Promise<Reading<ConversationList>>
}

/** `/reports`, `/reports.csv` and `/conversations`. */
export function addReportRoutes(routes: Hono, sources: ReportSources): void {
  routes.get('/reports', async (context) => {
    const parsed = parseReportRequest(queryOf(context))
    if ('problems' in parsed) return respond(context, refusedPage(parsed.problems), 400)
    const { request } = parsed
    return respond(context, reportPage(request, await sources.report(request)), 200, request.theme)
  })
  routes.get('/conversations', async (context) => {
    const parsed = parseListRequest(queryOf(context))
    if ('problems' in parsed) return respond(context, refusedPage(parsed.problems), 400)
    const { request } = parsed
    return respond(context, conversationListPage(request, await sources.conversations(request)), 200, request.theme)
  })
  routes.get('/reports.csv', async (context) => {
    const parsed = parseReportRequest(queryOf(context))
    if ('problems' in parsed) return context.text(`${parsed.problems.join('\n')}\n`, 400)
    const { request } = parsed
    const { content, reason } = await sources.report(request)
    if (content === null) return context.text(`${reason ?? 'The numbers cannot be read.'}\n`, 503)
    const { first, last } = content.days
    return context.body(reportCsv(request, content), 200, {
      'Content-Type': 'text/csv; charset=utf-8; header=present',
      'Content-Disposition': `attachment; filename="report-by-${request.by}-${first}-to-${last}.csv"`,
    })
  })
}

function queryOf(context: Context): URLSearchParams {
  return new URL(context.req.url).searchParams
}

function respond(
  context: Context,
  view: View,
  status: 200 | 400,
  theme: 'light' | 'dark' | null = null,
): Response | Promise<Response> {
  return context.html(page(view, theme), view.isComplete || status !== 200 ? status : 503)
}

/** Details jobs: Genesys runs a query in its data lake, and its results are read afterwards, page by page. */
import { type Interval } from '../model/interval.ts'
import { isJsonObject, type JsonValue } from '../model/json.ts'
import { describeBody, fieldsOf, refusalWithoutList } from './answer-body.ts'
import { type GenesysClient, type RequestOptions } from './client.ts'
import { intervalText, queryFiltersOf, type DetailsFilter } from './details-query.ts'
import { GenesysError, isTooLarge } from './errors.ts'

/** Path of the jobs. */
export const DETAILS_JOBS_PATH = '/api/v2/analytics/conversations/details/jobs'
/** Conversations per page of results: what production connectors are known to receive. */
export const JOB_PAGE_SIZE = 1000

const STATES = ['QUEUED', 'PENDING', 'FULFILLED', 'FAILED', 'CANCELLED', 'EXPIRED'] as const
export type DetailsJobState = (typeof STATES)[number]

/** What a job is asked for. */
export interface JobQuery {
  readonly interval: Interval
  readonly filter: DetailsFilter
  /**
   * `started`: the conversations that started on a UTC day of the interval, as the details query selects them. `active`: all that
   * lived at some time of the interval, whatever their age.
   */
  readonly selects: 'started' | 'active'
}

export interface JobStatus {
  readonly state: DetailsJobState
  /** Why it failed. */
  readonly reason: string | null
}

export interface JobPage {
  readonly conversations: readonly JsonValue[]
  /** Where the next page begins; null: this is the last one. */
  readonly cursor: string | null
  /** Up to when the results are complete, by the clock of Genesys; null: the page does not say. */
  readonly availableUntil: Date | null
}

/**
 * Up to when the data lake, which jobs read, is complete, by the clock of Genesys.
 * @throws GenesysError
 */
export async function readJobAvailability(client: GenesysClient, options: RequestOptions): Promise<Date> {
  const { data } = await client.request<{ dataAvailabilityDate: string }>({
    method: 'GET',
    path: `${DETAILS_JOBS_PATH}/availability`,
    endpoint: 'details-job-availability',
    refuse: (answer) => (dateIn(answer) === null ? `no date of availability: ${describeBody(answer)}` : null),
    ...options,
  })
  return new Date(data.dataAvailabilityDate)
}

/**
 * Starts a job. Where the answer is lost on its way, Genesys may have a job that nobody knows of; it expires there.
 * @returns its id, and `performance.now()` when it was sent
 * @throws GenesysError; see isJobLimit
 */
export async function submitDetailsJob(
  client: GenesysClient,
  { interval, filter, selects }: JobQuery,
  options: RequestOptions,
): Promise<{ jobId: string; sentAt: number }> {
  const { data, sentAt } = await client.request<{ jobId: string }>({
    method: 'POST',
    path: DETAILS_JOBS_PATH,
    body: {
      interval: intervalText(interval),
      order: 'asc',
      orderBy: 'conversationStart',
      startOfDayIntervalMatching: selects === 'started',
      ...queryFiltersOf(filter),
    },
    endpoint: 'details-job-submission',
    hasOwnLimit: true,
    refuse: (answer) => (textIn(answer, 'jobId') === null ? `no job with an id: ${describeBody(answer)}` : null),
    ...options,
  })
  return { jobId: data.jobId, sentAt }
}

/** Whether Genesys refuses a job because of how many there are already. It answers such refusals with 429, in some places with 400. */
export function isJobLimit(error: unknown): boolean {
  if (!(error instanceof GenesysError)) return false
  if (error.code === 'GENESYS_RATE_LIMITED') return true
  return error.status === 400 && /\b(concurrent|too many|limit)\b/i.test(error.message)
}

/** @throws GenesysError, GENESYS_NOT_FOUND where Genesys has forgotten the job */
export async function readJobStatus(client: GenesysClient, jobId: string, options: RequestOptions): Promise<JobStatus> {
  const { data } = await client.request<{ state: DetailsJobState; errorMessage?: unknown }>({
    method: 'GET',
    path: pathOf(jobId),
    endpoint: 'details-job-status',
    refuse: (answer) =>
      (STATES as readonly (string | null)[]).includes(textIn(answer, 'state'))
        ? null
        : `not the state of a job: ${describeBody(answer)}`,
    ...options,
  })
  return { state: data.state, reason: textIn(data, 'errorMessage') }
}

/**
 * One page of the results of a job that is fulfilled. A page whose answer is too large to be read is asked for in half its size: the
 * cursor that comes with it goes on behind what it brought.
 * @param cursor that of the page before; null for the first page
 * @throws GenesysError, GENESYS_NOT_FOUND where the results are gone
 */
export async function readJobResults(
  client: GenesysClient,
  jobId: string,
  page: { readonly cursor: string | null; readonly size: number },
  options: RequestOptions,
): Promise<JobPage> {
  try {
    const { data } = await client.request<Record<string, unknown>>({
      method: 'GET',
      path: `${pathOf(jobId)}/results`,
      query: { pageSize: page.size, ...(page.cursor !== null && { cursor: page.cursor }) },
      endpoint: 'details-job-results',
      refuse: refusalOfResults,
      ...options,
    })
    return {
      conversations: (data['conversations'] ?? []) as readonly JsonValue[],
      cursor: textIn(data, 'cursor'),
      availableUntil: dateIn(data),
    }
  } catch (error) {
    if (!isTooLarge(error) || page.size === 1) throw error
    return await readJobResults(client, jobId, { ...page, size: Math.ceil(page.size / 2) }, options)
  }
}

/**
 * Deletes a job and its results; one that is under way is cancelled. One that Genesys does not have counts as deleted.
 * @throws GenesysError
 */
export async function deleteDetailsJob(client: GenesysClient, jobId: string, options: RequestOptions): Promise<void> {
  try {
    await client.request<unknown>({
      method: 'DELETE',
      path: pathOf(jobId),
      endpoint: 'details-job-deletion',
      ...options,
    })
  } catch (error) {
    if (!(error instanceof GenesysError) || error.code !== 'GENESYS_NOT_FOUND') throw error
  }
}

/**
 * How many jobs the organization may have at once; null where Genesys does not say.
 * @throws GenesysError for anything but a refusal
 */
export async function readJobLimit(client: GenesysClient, options: RequestOptions): Promise<number | null> {
  try {
    const { data } = await client.request<{ entities?: readonly JsonValue[] }>({
      method: 'GET',
      path: '/api/v2/organizations/limits/namespaces/analytics',
      endpoint: 'limits',
      refuse: (answer) => refusalWithoutList(answer, 'entities', 'limits'),
      ...options,
    })
    const limit = (data.entities ?? []).find(
      (entity) => isJsonObject(entity) && entity['key'] === 'details.jobs.concurrent.access.max',
    )
    const value = isJsonObject(limit) ? limit['value'] : null
    return typeof value === 'number' && value >= 1 ? Math.floor(value) : null
  } catch (error) {
    if (error instanceof GenesysError && [400, 403, 404].includes(error.status ?? 0)) return null
    throw error
  }
}

/** Whether an error says that this client may not use jobs, or that there are none where it looks. */
export function isJobRefusal(error: unknown): error is GenesysError {
  return error instanceof GenesysError && [403, 404, 405].includes(error.status ?? 0)
}

function pathOf(jobId: string): string {
  return `${DETAILS_JOBS_PATH}/${encodeURIComponent(jobId)}`
}

function refusalOfResults(answer: unknown): string | null {
  const refusal = refusalWithoutList(answer, 'conversations', 'conversations')
  if (refusal !== null) return refusal
  const { conversations, cursor } = fieldsOf(answer) ?? {}
  if (conversations === undefined && cursor === undefined && dateIn(answer) === null)
    return `not a page of results: ${describeBody(answer)}`
  const isCursor = cursor === undefined || cursor === null || (typeof cursor === 'string' && cursor !== '')
  return isCursor ? null : `a page of results whose cursor is no text: ${describeBody(answer)}`
}

function dateIn(answer: unknown): Date | null {
  const text = textIn(answer, 'dataAvailabilityDate')
  const date = new Date(text ?? Number.NaN)
  return Number.isNaN(+date) ? null : date
}

function textIn(answer: unknown, field: string): string | null {
  const value = fieldsOf(answer)?.[field]
  return typeof value === 'string' && value !== '' ? value : null
}

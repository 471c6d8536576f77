import { randomUUID } from 'node:crypto'
import { ApiError, tooManyRequests } from './api-error.ts'
import type { OrgClock } from './clock.ts'
import type { ControlSettings } from './control-settings.ts'
import type { Json } from './conversation-plan.ts'
import { readInterval } from './details-query.ts'
import { DAY_MS } from './generate.ts'
import type { OAuthClient } from './oauth.ts'
import { oneOf, onlyFields, readFilters, type Test } from './predicates.ts'
import type { ConversationStore, Stored } from './store.ts'

/** The states in which a job can be. */
export type JobState = 'QUEUED' | 'PENDING' | 'FULFILLED' | 'FAILED' | 'CANCELLED' | 'EXPIRED'

/** What happens to one job, other than being fulfilled in the usual time. */
export interface JobFate {
  readonly ends?: 'FAILED' | 'CANCELLED' | 'EXPIRED'
  /** How much longer it takes, in real milliseconds. */
  readonly extraMs?: number
  /** After so many pages of its results were read, they have expired. */
  readonly expiresAfterPages?: number
}

/** A job for those who control the simulator. */
export interface JobRecord {
  readonly id: string
  readonly interval: string
  readonly state: JobState
  readonly isDeleted: boolean
  /** How many pages of its results were read. */
  readonly pagesRead: number
}

interface JobQuery {
  readonly start: number
  readonly end: number
  readonly isDescending: boolean
  readonly startOfDayMatching: boolean
  readonly limit: number
  readonly tests: readonly Test[]
}

interface Job {
  readonly id: string
  readonly interval: string
  readonly query: JobQuery
  readonly client: OAuthClient
  readonly fate: JobFate
  /** Milliseconds since 1970, by the organization's clock. */
  readonly submittedAt: number
  /** Milliseconds of the machine's own clock: a job takes real time, even where the organization's clock stands still. */
  readonly since: number
  /** After so many of these it is run, and after so many more it ends. */
  readonly queuedMs: number
  readonly pendingMs: number
  /** The rest is set when it is fulfilled, as of then. */
  results: { readonly hits: readonly Stored[]; readonly asOf: number } | undefined
  /** By their cursors: where each page begins. */
  readonly cursors: Map<string, number>
  pagesRead: number
  isDeleted: boolean
}

const BODY_FIELDS = [
  'conversationFilters', 'segmentFilters', 'evaluationFilters', 'surveyFilters', 'resolutionFilters', 'order', 'orderBy',
  'interval', 'limit', 'startOfDayIntervalMatching',
] // prettier-ignore
const DEFAULT_PAGE_SIZE = 1_000
/** Results are kept for so long, by the organization's clock. */
const RESULTS_KEPT_MS = DAY_MS

/** Reads the body of a job's submission; like a details query, but without paging and aggregations, which a job does not know. */
function readJobQuery(raw: unknown): JobQuery {
  const body = onlyFields(raw, 'AsyncConversationQuery', BODY_FIELDS)
  const { start, end } = readInterval(body['interval'])
  const order = oneOf(body['order'], 'order', ['asc', 'desc', 'unordered']) ?? 'asc'
  oneOf(body['orderBy'], 'orderBy', ['conversationStart', 'conversationEnd', 'segmentStart', 'segmentEnd'])
  const { limit, startOfDayIntervalMatching: matching } = body
  if (limit !== undefined && (typeof limit !== 'number' || !Number.isInteger(limit) || limit < 1))
    throw new ApiError(400, 'bad.request', 'The limit must be a whole number from 1 on.')
  if (matching !== undefined && typeof matching !== 'boolean')
    throw new ApiError(400, 'bad.request', 'startOfDayIntervalMatching must be true or false.')
  return {
    start,
    end,
    isDescending: order === 'desc',
    startOfDayMatching: matching === true,
    limit: limit ?? Infinity,
    tests: readFilters(body),
  }
}

function notFound(): ApiError {
  return new ApiError(404, 'not.found', 'The job could not be found.')
}

/** Details jobs: queries over the data lake, which is behind the organization by some hours. */
export class DetailsJobs {
  readonly #store: ConversationStore
  readonly #settings: Readonly<ControlSettings>
  /** That of the API: it goes on when nothing happens in the organization any more. */
  readonly #clock: Pick<OrgClock, 'now'>
  readonly #jobs = new Map<string, Job>()
  #fates: JobFate[] = []

  constructor(store: ConversationStore, settings: Readonly<ControlSettings>, clock: Pick<OrgClock, 'now'>) {
    this.#store = store
    this.#clock = clock
    this.#settings = settings
  }

  /** Plans what happens to the next jobs, one each, in the order of their submission. */
  plan(...fates: readonly JobFate[]): void {
    this.#fates.push(...fates)
  }

  /** All jobs that were ever submitted. */
  list(): JobRecord[] {
    return [...this.#jobs.values()].map((job) => ({
      id: job.id,
      interval: job.interval,
      state: this.#stateOf(job),
      isDeleted: job.isDeleted,
      pagesRead: job.pagesRead,
    }))
  }

  /** Up to when the data lake is complete, in milliseconds since 1970. */
  availableUntil(): number {
    return this.#clock.now() - this.#settings.dataLagMs
  }

  /** Answers a submission; returns the job's id. */
  submit(body: unknown, client: OAuthClient): { jobId: string; interval: string } {
    const query = readJobQuery(body)
    const atOnce = [...this.#jobs.values()].filter((job) => !job.isDeleted && isUnderWay(this.#stateOf(job))).length
    if (atOnce >= this.#settings.jobsAtOnce) throw this.#tooMany()
    const { interval } = body as { interval: string }
    const { jobQueuedMs: queuedMs, jobPendingMs: pendingMs } = this.#settings
    const job: Job = {
      id: randomUUID(),
      interval,
      query,
      client,
      fate: this.#fates.shift() ?? {},
      submittedAt: this.#clock.now(),
      since: performance.now(),
      queuedMs,
      pendingMs,
      results: undefined,
      cursors: new Map(),
      pagesRead: 0,
      isDeleted: false,
    }
    this.#jobs.set(job.id, job)
    return { jobId: job.id, interval }
  }

  /** Answers a look at a job. */
  status(id: string, client: OAuthClient): Json {
    const job = this.#find(id, client)
    const state = this.#stateOf(job)
    return {
      state,
      submissionDate: new Date(job.submittedAt).toISOString(),
      ...(state === 'FAILED' && { errorMessage: 'The query could not be run; please try again later.' }),
      ...(!isUnderWay(state) && { completionDate: new Date(this.#clock.now()).toISOString() }),
      ...(state === 'FULFILLED' && { expirationDate: new Date(job.submittedAt + RESULTS_KEPT_MS).toISOString() }),
    }
  }

  /** Answers a request for a page of results: JSON, UTF-8. */
  results(id: string, parameters: URLSearchParams, client: OAuthClient): Buffer {
    const job = this.#find(id, client)
    const state = this.#stateOf(job)
    if (state === 'EXPIRED') throw notFound()
    if (state !== 'FULFILLED')
      throw new ApiError(400, 'bad.request', `The results of the job are not available: it is ${state}.`)
    const { hits, asOf } = (job.results ??= this.#run(job))
    const size = Math.min(readPageSize(parameters), this.#settings.jobPageSize)
    const from = firstOf(job, parameters.get('cursor'))
    const records = hits.slice(from, from + size).flatMap((stored) => this.#store.showInLake(stored, asOf)?.bytes ?? [])
    job.pagesRead++
    return writeResults(records, from + size < hits.length ? newCursor(job, from + size) : undefined, asOf)
  }

  /** Answers the deletion of a job. */
  delete(id: string, client: OAuthClient): void {
    this.#find(id, client).isDeleted = true
  }

  #find(id: string, client: OAuthClient): Job {
    const job = this.#jobs.get(id)
    if (!job || job.isDeleted || job.client.id !== client.id) throw notFound()
    return job
  }

  #stateOf(job: Job): JobState {
    const { queuedMs, pendingMs } = job
    const { ends, extraMs = 0, expiresAfterPages = Infinity } = job.fate
    const elapsed = performance.now() - job.since
    if (elapsed < queuedMs) return 'QUEUED'
    if (elapsed < queuedMs + pendingMs + extraMs) return 'PENDING'
    if (ends) return ends
    const isOld = this.#clock.now() - job.submittedAt > RESULTS_KEPT_MS
    return isOld || job.pagesRead >= expiresAfterPages ? 'EXPIRED' : 'FULFILLED'
  }

  #tooMany(): ApiError {
    const { jobsAtOnce, jobLimitStatus } = this.#settings
    if (jobLimitStatus === 429) return tooManyRequests(1)
    return new ApiError(
      400,
      'limit.exceeded',
      `The maximum number of concurrent jobs [${jobsAtOnce}] was exceeded (details.jobs.concurrent.access.max).`,
    )
  }

  /** What a job finds: it reads the lake as it is complete at this moment. */
  #run({ query, client }: Job): NonNullable<Job['results']> {
    const asOf = this.availableUntil()
    const { first, end } = this.#store.days()
    const startDay = Math.floor(query.start / DAY_MS)
    const hits: Stored[] = []
    const until = Math.min(Math.ceil(query.end / DAY_MS), end)
    for (let day = query.startOfDayMatching ? Math.max(startDay, first) : first; day < until; day++)
      for (const stored of this.#store.day(day)) if (this.#matches(stored, query, asOf, client)) hits.push(stored)
    if (query.isDescending) hits.reverse()
    return { hits: hits.slice(0, query.limit), asOf }
  }

  /** Whether a conversation lived during the interval, and passes filters and divisions. */
  #matches(stored: Stored, query: JobQuery, asOf: number, { divisions }: OAuthClient): boolean {
    if (stored.start >= query.end) return false
    const shown = this.#store.showInLake(stored, asOf)
    if (!shown || (stored.start < query.start && shown.end < query.start)) return false
    if (divisions !== '*' && !shown.divisionIds.some((id) => divisions.has(id))) return false
    if (query.tests.length === 0) return true
    const conversation = this.#store.wellFormedInLake(stored, asOf)
    return query.tests.every((test) => test(conversation))
  }
}

function isUnderWay(state: JobState): boolean {
  return state === 'QUEUED' || state === 'PENDING'
}

function readPageSize(parameters: URLSearchParams): number {
  const text = parameters.get('pageSize')
  const size = text === null ? DEFAULT_PAGE_SIZE : Number(text)
  if (!Number.isInteger(size) || size < 1)
    throw new ApiError(400, 'bad.request', 'The page size must be a whole number from 1 on.')
  return size
}

function firstOf({ cursors }: Job, cursor: string | null): number {
  if (cursor === null) return 0
  const from = cursors.get(cursor)
  if (from === undefined) throw new ApiError(400, 'bad.request', 'The cursor is not valid.')
  return from
}

/** A cursor means nothing to anyone but the simulator, and the same place has another one each time. */
function newCursor({ cursors }: Job, from: number): string {
  const cursor = Buffer.from(randomUUID()).toString('base64')
  cursors.set(cursor, from)
  return cursor
}

function writeResults(records: readonly Buffer[], cursor: string | undefined, asOf: number): Buffer {
  const parts: Buffer[] = [Buffer.from(records.length > 0 ? '{"conversations":[' : '{')]
  for (const [index, bytes] of records.entries()) {
    if (index > 0) parts.push(Buffer.from(','))
    parts.push(bytes)
  }
  const rest = { ...(cursor !== undefined && { cursor }), dataAvailabilityDate: new Date(asOf).toISOString() }
  parts.push(Buffer.from(`${records.length > 0 ? '],' : ''}${JSON.stringify(rest).slice(1)}`))
  return Buffer.concat(parts)
}

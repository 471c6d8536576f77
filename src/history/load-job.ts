/** A window that is read by a details job: its results, loaded page by page. */
import { DETAILS_JOBS_PATH, JOB_PAGE_SIZE, readJobResults, type JobPage } from '../genesys/details-jobs.ts'
import { badAnswer } from '../genesys/errors.ts'
import { identify, type Identity } from '../genesys/record-identity.ts'
import { EtlError } from '../errors.ts'
import type { FetchedConversation } from '../loader/load.ts'
import { earlier, formatWindow, type Interval } from '../model/interval.ts'
import { isJsonObject, type JsonValue } from '../model/json.ts'
import { withoutAttributes } from '../model/transform.ts'
import type { JobsSettings } from './context.ts'
import type { StoredJob } from './job-store.ts'
import type { PlannedWindow } from './plan.ts'
import { daysOf } from './read-pages.ts'
import type { ReadOutcome } from './read-window.ts'
import { discardJob, runDetailsJob, type DetailsJobDependencies, type JobsContext } from './run-details-job.ts'
import { isStranger, startingInside } from './stability.ts'

/** How a job's window was read. */
export interface JobOutcome {
  readonly outcome: ReadOutcome
  /** As of when its data are current. */
  readonly asOf: Date
  /** To be called when the window is recorded. */
  readonly discard: () => Promise<void>
}

type Context = DetailsJobDependencies & {
  readonly history: { readonly jobs?: JobsSettings }
  readonly jobs: JobsContext
}

/**
 * Reads the conversations of a window by a job; one that a process left under way is resumed, unless all of the window is to be read again.
 * @param add takes the conversations of a page
 * @throws see runDetailsJob; EtlError GENESYS_JOB_INCOMPLETE (retryable), GENESYS_BAD_ANSWER; what `add` throws
 */
export async function readByJob(
  context: Context,
  window: PlannedWindow,
  add: (conversations: readonly FetchedConversation[]) => Promise<void>,
): Promise<JobOutcome> {
  const resumeSince = window.reason === 'reload' ? context.run.cycleStartedAt : null
  return await context.jobs.jobs.add(async () => {
    const { result, job } = await runDetailsJob(context, window, resumeSince, (fulfilled) =>
      context.jobs.reads.add(() => new ResultsReader(context, window, fulfilled).read(add)),
    )
    return { ...result, discard: () => discardJob(context, job) }
  })
}

/** Reads the results of one job. */
class ResultsReader {
  readonly #context: Context
  readonly #window: Interval
  readonly #job: StoredJob
  readonly #records = new Map<string, number>()
  #asOf: Date
  #pages = 0
  #strangers = 0

  constructor(context: Context, window: Interval, job: StoredJob) {
    this.#context = context
    this.#window = window
    this.#job = job
    // A job may have read what arrived until it was submitted, but Genesys vouches for no more than this.
    this.#asOf = earlier(job.submittedAt, job.availableUntil)
  }

  async read(
    add: (conversations: readonly FetchedConversation[]) => Promise<void>,
  ): Promise<Pick<JobOutcome, 'outcome' | 'asOf'>> {
    const cursors = new Set<string>()
    let cursor: string | null = null
    do {
      const page: JobPage = await this.#takePage(cursor)
      const fetchedAt = this.#asOf.toISOString()
      const fetched = page.conversations.map((record) => ({ conversation: this.#keep(record), fetchedAt }))
      if (fetched.length > 0) await add(fetched)
      cursor = page.cursor
      if (cursor !== null && cursors.has(cursor)) throw this.#bad('the pages of its results repeat each other')
      if (cursor !== null) cursors.add(cursor)
    } while (cursor !== null)
    this.#refuseStrangers()
    const { size: distinct } = this.#records
    return {
      asOf: this.#asOf,
      outcome: {
        status: 'done',
        hits: distinct,
        distinct,
        startingInside: startingInside(this.#records, this.#window).length,
        reads: 1,
        requests: this.#pages,
      },
    }
  }

  async #takePage(cursor: string | null): Promise<JobPage> {
    const { genesys, progress, history, signal } = this.#context
    const size = history.jobs?.pageSize ?? JOB_PAGE_SIZE
    const page = await readJobResults(genesys, this.#job.jobId, { cursor, size }, { priority: 'history', signal })
    this.#pages++
    progress.advance(1)
    if (page.availableUntil) {
      if (page.availableUntil < this.#window.end) throw incomplete(this.#window, page.availableUntil)
      this.#asOf = earlier(this.#asOf, page.availableUntil)
    }
    return page
  }

  /** Notes a record; gives what of it is loaded. */
  #keep(record: JsonValue): JsonValue {
    const identity = identify(record)
    if (!this.#records.has(identity.key) && this.#isForeign(identity)) this.#strangers++
    this.#records.set(identity.key, identity.start)
    const isStripped = this.#context.history.jobs?.attributes === 'false' && isJsonObject(record)
    return isStripped ? withoutAttributes(record) : record
  }

  /** Whether a record is known not to be one that was asked for. */
  #isForeign(identity: Identity): boolean {
    const days = daysOf(this.#window)
    const isTooOld = this.#context.key.stream !== 'activity' && identity.start < +days.start
    return isTooOld || isStranger(identity, days)
  }

  /** A proxy may answer with the results of another job. */
  #refuseStrangers(): void {
    const { size } = this.#records
    if (size > 0 && this.#strangers === size)
      throw this.#bad(`none of the ${size} conversations that came is of that time`)
  }

  #bad(problem: string): EtlError {
    return badAnswer(
      { method: 'GET', path: `${DETAILS_JOBS_PATH}/…/results` },
      `${formatWindow(this.#window)}: ${problem}`,
    )
  }
}

function incomplete(window: Interval, availableUntil: Date): EtlError {
  return new EtlError(
    `The results of the details job of ${formatWindow(window)} are complete until ${availableUntil.toISOString()} only`,
    {
      code: 'GENESYS_JOB_INCOMPLETE',
      kind: 'retryable',
      hint: 'The window stays due, and the next run reads it again.',
    },
  )
}

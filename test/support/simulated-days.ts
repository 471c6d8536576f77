/**
 * Lets days pass for a simulated organization and for the product beside it, with one clock for both: nightly and intraday runs, of which
 * some are skipped or killed and some meet a Genesys that is faulty, and at the end some nights in which nothing goes wrong.
 */
import { sql } from 'kysely'
import { vi } from 'vitest'
import { EtlError, Interrupted } from '../../src/errors.ts'
import type { GenesysClient } from '../../src/genesys/client.ts'
import type { HistoryRequest } from '../../src/history/context.ts'
import { jobsAvailableUntil } from '../../src/history/jobs-context.ts'
import { runHistory } from '../../src/history/sync.ts'
import { deriveAfterRun } from '../../src/reporting/after-run.ts'
import { reconcileDueDays } from '../../src/reporting/reconcile-nightly.ts'
import { addUpAfterRun } from '../../src/reporting/rollups.ts'
import type { JobFate } from '../../src/simulator/details-jobs.ts'
import type { FaultRule } from '../../src/simulator/faults.ts'
import { REALISTIC_LATE_CHANGES } from '../../src/simulator/late-changes.ts'
import { createRandom, type Random } from '../../src/simulator/random.ts'
import type { Simulator } from '../../src/simulator/server.ts'
import { settledParts } from '../../src/settled/parts.ts'
import { createSimulatedDatabase, type SimulatedDatabase } from './simulated-clock.ts'
import { connectTestOrg, startOrg, type TestOrg } from './simulated-org.ts'
import { TruthLog } from './truth-log.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const MINUTE = 60_000

/** A Monday. */
const BEGINNING = Date.parse('2025-03-03T00:00:00Z')
/** Days of the organization before the first run. */
const DAYS_BEFORE = 3
/** Nights at the end in which nothing happens at Genesys and nothing goes wrong: more than a week, so that a weekly run is among them. */
const QUIET_NIGHTS = 8
const LOOKBACK_DAYS = 7
/** Wrap-up codes and the metrics of after-call work come that late. */
const CLOSING_DELAY_MS = 7 * MINUTE
const JOB_TIMING = { firstPollMs: 2, longestPollMs: 20, deadlineMs: 2000 }
/** How far the data lake is behind: what jobs deliver was current then. */
const DATA_LAG_MS = 6 * HOUR
const JOBS_PATH = '/api/v2/analytics/conversations/details/jobs'

/** `lookback`: windows alone, as before; `query`: with everything that is read again where jobs are not permitted; `jobs`: with them. */
export type Sources = 'lookback' | 'query' | 'jobs'

export interface SimulatedDaysOptions {
  readonly sources: Sources
  readonly seed: string
  readonly days: number
  /** Conversations on a working day. */
  readonly perDay: number
}

/** How often runs ended how. */
export interface RunCounts {
  done: number
  failed: number
  killed: number
  skipped: number
}

export interface SimulatedDays extends AsyncDisposable {
  readonly org: Simulator
  readonly log: TruthLog
  readonly runs: Readonly<RunCounts>
  /** Whether participant attributes are loaded. */
  readonly hasAttributes: boolean
  /** From the first conversation to the last. */
  readonly range: { readonly start: Date; readonly end: Date }
  /** Lets the days pass. @param afterNight called after each night, with connections of its own */
  live(afterNight: (it: TestOrg, at: number) => Promise<void>): Promise<void>
  /** Lets the quiet nights pass. */
  settle(afterNight: (it: TestOrg, at: number) => Promise<void>): Promise<void>
  /** A process of the product at the present instant. */
  connect(): Promise<TestOrg>
}

export async function startSimulatedDays({
  seed,
  sources,
  days,
  perDay,
}: SimulatedDaysOptions): Promise<SimulatedDays> {
  await using stack = new AsyncDisposableStack()
  const org = stack.use(
    await startOrg({
      seed,
      now: new Date(BEGINNING),
      days: DAYS_BEFORE,
      perDay,
      exactPerDay: false,
      malformedShare: 0,
      reopenedShare: 0.4,
      closingDelayMs: CLOSING_DELAY_MS,
      dataLagMs: DATA_LAG_MS,
      lateChanges: REALISTIC_LATE_CHANGES,
    }),
  )
  const database = stack.use(await createSimulatedDatabase(BEGINNING))
  stack.defer(() => void vi.useRealTimers())
  const it = new Days({ org, database, random: createRandom(`days/${seed}`), sources })
  const end = BEGINNING + days * DAY
  const resources = stack.move()
  return {
    org,
    log: it.log,
    runs: it.runs,
    hasAttributes: sources === 'jobs',
    // starts can be corrected to the day before
    range: { start: new Date(BEGINNING - (DAYS_BEFORE + 1) * DAY), end: new Date(end + DAY) },
    async live(afterNight) {
      for (let midnight = BEGINNING + DAY; midnight <= end; midnight += DAY) {
        await it.day(midnight - DAY)
        await it.night(midnight, afterNight)
      }
    },
    async settle(afterNight) {
      org.control.set({ nothingHappensAfter: org.control.clock.now() })
      for (let night = 1; night <= QUIET_NIGHTS; night++) await it.quietNight(end + night * DAY, afterNight)
    },
    connect: () => connectTestOrg(org, database),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

type AfterNight = (it: TestOrg, at: number) => Promise<void>

class Days {
  readonly log = new TruthLog()
  readonly runs: RunCounts = { done: 0, failed: 0, killed: 0, skipped: 0 }
  readonly #org: Simulator
  readonly #database: SimulatedDatabase
  readonly #random: Random
  readonly #sources: Sources
  /** Since the last Sunday, as long as no weekly run has succeeded. */
  #isDeepDue = false

  constructor(parts: { org: Simulator; database: SimulatedDatabase; random: Random; sources: Sources }) {
    this.#org = parts.org
    this.#database = parts.database
    this.#random = parts.random
    this.#sources = parts.sources
  }

  /** What runs during a day: the current day so far, on most days. */
  async day(midnight: number): Promise<void> {
    const at = midnight + this.#random.int(8, 20) * HOUR
    if (this.#random.chance(0.3)) return
    await this.#process(at, (it) => this.#run(it, { job: 'intraday' }))
  }

  /** A night: mostly as it should be, else skipped, killed once or twice, or with a Genesys that is faulty. */
  async night(midnight: number, afterNight: AfterNight): Promise<void> {
    const fate = this.#random.weighted({ well: 66, skipped: 8, killed: 14, faulty: 8, away: 4 })
    const at = midnight + 2 * HOUR + 15 * MINUTE
    if (this.#sources === 'jobs')
      for (const minutes of [135, 210, 255]) this.#note(midnight + minutes * MINUTE - DATA_LAG_MS)
    if (fate === 'skipped') {
      this.runs.skipped++
      return
    }
    await this.#process(at, async (it) => {
      if (fate === 'faulty') {
        this.#org.control.faults.add(...faults)
        this.#org.control.jobs.plan(...jobFates)
      }
      if (fate === 'away') this.#org.control.faults.add({ on: 'any', kind: '503' })
      try {
        await this.#run(it, { job: 'sync' }, fate === 'killed' ? this.#random.int(1, 25) : undefined)
      } finally {
        this.#org.control.faults.clear()
      }
    })
    await this.#deep(midnight, this.#random.chance(0.2) ? this.#random.int(1, 40) : undefined)
    // a supervisor starts it again now and then; otherwise the next night has to make up for it
    if (fate === 'killed' && this.#random.chance(0.5))
      await this.#process(at + 2 * HOUR, (it) => this.#run(it, { job: 'sync' }))
    await this.#process(midnight + 4 * HOUR + 45 * MINUTE, async (it) => {
      if (this.#random.chance(0.2)) await this.#reconcile(it)
      await afterNight(it, midnight + 4 * HOUR + 45 * MINUTE)
    })
  }

  async quietNight(midnight: number, afterNight: AfterNight): Promise<void> {
    await this.#process(midnight + 2 * HOUR + 15 * MINUTE, async (it) => {
      const failed = this.runs.failed
      await this.#run(it, { job: 'sync' })
      if (this.runs.failed > failed) throw new Error(`a quiet night failed: ${it.log.slice(-3).join('')}`)
    })
    await this.#deep(midnight)
    await this.#process(midnight + 5 * HOUR, (it) => afterNight(it, midnight + 5 * HOUR))
  }

  /**
   * The weekly run, which the scheduler catches up where it was missed.
   * @param killedAt the request at which it is killed; undefined: it is not
   */
  async #deep(midnight: number, killedAt?: number): Promise<void> {
    if (this.#sources === 'lookback') return
    if (new Date(midnight).getUTCDay() === 0) this.#isDeepDue = true
    if (!this.#isDeepDue) return
    await this.#process(midnight + 3 * HOUR + 30 * MINUTE, async (it) => {
      const { done } = this.runs
      await this.#run(it, { job: 'deep' }, killedAt)
      this.#isDeepDue = this.runs.done === done
    })
  }

  #note(at: number): void {
    this.#org.control.clock.set(at)
    this.log.note(this.#org, at)
  }

  /** A process of the product that starts at an instant: its clock, that of its database and that of the organization agree. */
  async #process(at: number, work: (it: TestOrg) => Promise<void>): Promise<void> {
    this.#note(at)
    vi.setSystemTime(at)
    await this.#database.setClock(at)
    await using it = await connectTestOrg(this.#org, this.#database)
    await work(it)
  }

  /** @param killedAt the request at which the run is killed; undefined: it is not */
  async #run(it: TestOrg, request: HistoryRequest, killedAt?: number): Promise<void> {
    const stop = new AbortController()
    await using dependencies = it.dependencies({
      settings: {
        lookbackDays: LOOKBACK_DAYS,
        start: new Date(BEGINNING - (DAYS_BEFORE + 1) * DAY),
        ...(this.#sources !== 'lookback' && { jobs: { attributes: 'auto', timing: JOB_TIMING, pageSize: 60 } }),
      },
    })
    // refused to all but a client with the permission
    if (this.#sources === 'query') this.#org.control.faults.add({ on: JOBS_PATH, kind: '403' })
    const genesys = killedAt === undefined ? dependencies.genesys : interruptedAt(dependencies.genesys, killedAt, stop)
    const { warehouse, logger } = dependencies
    const afterRun = async (signal: AbortSignal): Promise<void> => {
      await deriveAfterRun({ warehouse, logger }, signal)
      await addUpAfterRun({ warehouse, logger }, signal)
    }
    try {
      const syncParts =
        this.#sources === 'lookback'
          ? []
          : settledParts(async (context) => (await jobsAvailableUntil(context, false, context.signal)) !== null)
      await runHistory({ ...dependencies, genesys, afterRun, syncParts }, request, 'cron', stop.signal)
      this.runs.done++
    } catch (error) {
      if (error instanceof Interrupted) this.runs.killed++
      else if (error instanceof EtlError && error.kind === 'retryable') this.runs.failed++
      else throw error
    }
  }

  async #reconcile(it: TestOrg): Promise<void> {
    await using dependencies = it.dependencies()
    await reconcileDueDays(dependencies, new AbortController().signal)
  }
}

/** The same client, but the run that uses it is interrupted when it sends its nth request. */
function interruptedAt(genesys: GenesysClient, nth: number, stop: AbortController): GenesysClient {
  let sent = 0
  return {
    ...genesys,
    request(request) {
      if (++sent === nth) stop.abort(new Interrupted())
      return genesys.request(request)
    },
  }
}

/** What becomes of the jobs of a night: one of them fails at every attempt, and others in every way but the last time. */
const jobFates: readonly JobFate[] = [
  { ends: 'FAILED' },
  { ends: 'EXPIRED' },
  { expiresAfterPages: 1 },
  { ends: 'CANCELLED' },
  { extraMs: 50 },
]

/** Every kind of fault that costs no more than some milliseconds. */
const faults: readonly FaultRule[] = [
  { on: 'any', kind: '429', probability: 0.1, retryAfterSeconds: 0.02 },
  { on: 'any', kind: '500-html', probability: 0.1 },
  { on: 'any', kind: '503', probability: 0.1 },
  { on: 'any', kind: 'reset-before', probability: 0.1 },
  { on: 'any', kind: 'reset-in-body', probability: 0.05 },
  { on: 'details', kind: 'truncated', probability: 0.1 },
  { on: 'details', kind: 'html-200', probability: 0.05 },
  { on: 'details', kind: 'empty-200', probability: 0.05 },
]

/** What the tables hold of a conversation. */
export interface HeldConversation {
  readonly id: string
  /** Of its content. */
  readonly hash: string
  readonly isFinal: boolean
  /** Whether it is marked as missing at Genesys. */
  readonly isMissing: boolean
  readonly end: Date | null
}

/** All conversations that are stored. */
export async function selectHeld(it: TestOrg): Promise<HeldConversation[]> {
  const { rows } = await sql<HeldConversation>`
    select conversation_id as id, content_hash as hash, s.is_final as "isFinal", s.missing_since is not null as "isMissing",
      s.conversation_end as "end"
    from reporting.conversation_status s join etl.conversations using (conversation_id)`.execute(it.warehouse.db)
  return rows
}

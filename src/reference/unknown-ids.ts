/** Reads reference data when a load meets an id that it does not have. */
import { setTimeout as sleep } from 'node:timers/promises'
import { sql, type Kysely } from 'kysely'
import { backoffMs } from '../backoff.ts'
import { EtlError, Interrupted } from '../errors.ts'
import { type ReferencedIds } from '../loader/referenced-ids.ts'
import { type Logger } from '../log.ts'
import { referenceTable } from '../model/reference.ts'
import { type Database } from '../postgres/database.ts'

/** The lists whose unknown ids are looked for. */
type NamedList = keyof ReferencedIds

const LISTS: readonly NamedList[] = ['queues', 'users', 'wrap_up_codes']
/** Two attempts to read a list are at least this far apart, whoever made the first one. */
const SHORTEST_PAUSE_MS = 5 * 60_000
/** While attempts bring nothing, the pause between them doubles up to this: the hourly run reads everything anyway. */
const LONGEST_PAUSE_MS = 60 * 60_000
/** How long a command waits for names when everything else is done. */
const LONGEST_WAIT_MS = 60_000
/** Ids in memory; beyond it they are forgotten, which costs a query each. */
const MAX_IDS = 100_000
/** Wrap-up codes of the system, which no list has. */
const SYSTEM_CODE = /^ININ-/

export interface UnknownIdsOptions {
  readonly db: Kysely<Database>
  readonly logger: Logger
  /** Reads these lists. */
  readonly read: (names: readonly NamedList[], signal: AbortSignal) => Promise<unknown>
}

export interface UnknownIds {
  /** Takes note of ids that were loaded. Costs no time, and never fails; what has to be done is done in the background. */
  note(ids: Partial<ReferencedIds>): void
  /**
   * Resolves when everything that was noted has been looked up, and read where it may be by now. An abort, or a minute, ends it as `stop`
   * does: names are not worth a longer wait.
   */
  settled(signal: AbortSignal): Promise<void>
  /** Ends what is going on in the background, and takes no more notes. */
  stop(): Promise<void>
}

/**
 * Watches the ids that loads and snapshots meet. One that has no row makes its list be read, at most every five minutes; one that the list
 * does not have either is not looked for again.
 */
export function watchUnknownIds(options: UnknownIdsOptions): UnknownIds {
  return new UnknownIdsWatcher(options)
}

class UnknownIdsWatcher implements UnknownIds {
  readonly #options: UnknownIdsOptions
  readonly #stopping = new AbortController()
  /** Ids that have a row, or that reading has not brought. */
  readonly #settledIds = new Set<string>()
  readonly #noted = emptyNotes()
  /** Ids that have no row, until their lists may be read again. */
  readonly #waiting = emptyNotes()
  #isWaiting = false
  #vainReads = 0
  #work: Promise<void> | null = null

  constructor(options: UnknownIdsOptions) {
    this.#options = options
  }

  note(ids: Partial<ReferencedIds>): void {
    if (this.#stopping.signal.aborted) return
    if (this.#settledIds.size > MAX_IDS) this.#settledIds.clear()
    for (const list of LISTS) {
      for (const id of ids[list] ?? []) {
        const key = `${list} ${id}`
        if (this.#settledIds.has(key) || SYSTEM_CODE.test(id)) continue
        this.#settledIds.add(key)
        this.#noted[list].add(id)
      }
    }
    this.#begin()
  }

  async settled(signal: AbortSignal): Promise<void> {
    const end = AbortSignal.any([signal, AbortSignal.timeout(LONGEST_WAIT_MS)])
    const stop = (): void => this.#stopping.abort(new Interrupted())
    end.addEventListener('abort', stop, { once: true })
    if (end.aborted) stop()
    for (let current = this.#work; current !== null; current = this.#work) await current
    end.removeEventListener('abort', stop)
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Interrupted())
    await this.#work
  }

  #begin(): void {
    if (LISTS.every((list) => this.#noted[list].size === 0)) return
    this.#work ??= this.#resolve()
      .catch((error: unknown) => report(this.#options.logger, this.#stopping.signal, error))
      .finally(() => {
        this.#work = null
      })
  }

  async #resolve(): Promise<void> {
    const { db, read } = this.#options
    while (LISTS.some((list) => this.#noted[list].size > 0)) {
      const unknown = await withoutRow(db, takeNotes(this.#noted))
      const lists = LISTS.filter((list) => unknown[list].size > 0)
      if (lists.length === 0) continue
      const pauseMs = backoffMs(this.#vainReads + 1, { baseMs: SHORTEST_PAUSE_MS, ceilingMs: LONGEST_PAUSE_MS })
      const waitMs = await dueInMs(db, lists, pauseMs)
      if (waitMs > 0) return this.#postpone(unknown, waitMs)
      await read(lists, this.#stopping.signal)
      const hopeless = await withoutRow(db, unknown)
      const isHelped = lists.some((list) => hopeless[list].size < unknown[list].size)
      this.#vainReads = isHelped ? 0 : this.#vainReads + 1
    }
  }

  /** Looks the ids up again when their lists may be read. */
  #postpone(unknown: Notes, waitMs: number): void {
    for (const list of LISTS) for (const id of unknown[list]) this.#waiting[list].add(id)
    if (this.#isWaiting) return
    this.#isWaiting = true
    sleep(waitMs, undefined, { signal: this.#stopping.signal, ref: false }).then(
      () => {
        this.#isWaiting = false
        const ids = takeNotes(this.#waiting)
        for (const list of LISTS) for (const id of ids[list]) this.#noted[list].add(id)
        this.#begin()
      },
      () => {},
    )
  }
}

type Notes = Record<NamedList, Set<string>>

const emptyNotes = (): Notes => ({ queues: new Set(), users: new Set(), wrap_up_codes: new Set() })

function takeNotes(noted: Notes): Notes {
  const taken = emptyNotes()
  for (const list of LISTS) {
    taken[list] = new Set(noted[list])
    noted[list].clear()
  }
  return taken
}

/** Those of the ids that no row has. */
async function withoutRow(db: Kysely<Database>, ids: Notes): Promise<Notes> {
  const unknown = emptyNotes()
  for (const list of LISTS) {
    if (ids[list].size === 0) continue
    const { rows } = await sql<{ id: string }>`
      select wanted.id from unnest(${[...ids[list]]}::text[]) as wanted (id)
      where not exists (select from ${sql.raw(referenceTable(list))} t where t.id = wanted.id)`.execute(db)
    unknown[list] = new Set(rows.map(({ id }) => id))
  }
  return unknown
}

/** In how many milliseconds lists may be read again, by the clock of the database. */
async function dueInMs(db: Kysely<Database>, lists: readonly NamedList[], pauseMs: number): Promise<number> {
  const { rows } = await sql<{ wait_ms: number | null }>`
    select (${pauseMs} - extract(epoch from clock_timestamp() - max(attempted_at)) * 1000)::double precision as wait_ms
    from etl.reference_reads
    where entity = any(${lists}::text[]) and attempted_at <= clock_timestamp()`.execute(db)
  return Math.max(0, rows[0]?.wait_ms ?? 0)
}

/** A load does without names: whatever fails here is tried again when the next unknown id comes, or by the hourly run. */
function report(logger: Logger, signal: AbortSignal, error: unknown): void {
  if (signal.aborted || (error instanceof EtlError && error.code === 'JOB_ALREADY_RUNNING')) return
  const details = error instanceof EtlError ? { code: error.code, reason: error.message } : { err: error }
  logger.warn(details, 'names that a load asked for could not be read')
}

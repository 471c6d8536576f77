/** Names of queues and users, as far as the history knows them. */
import { sql, type Kysely, type RawBuilder } from 'kysely'
import type { Database } from '../postgres/database.ts'

export type NamedKind = 'queue' | 'user'

/** The name of an id; undefined: none is known. */
export type NameOf = (kind: NamedKind, id: string) => string | undefined

export interface Names {
  /**
   * Looks up the ids that are not known yet, and gives access to all names. If a look-up is slow or fails, its ids have no names
   * until a later call; it never throws.
   */
  resolve(wanted: Readonly<Partial<Record<NamedKind, readonly string[]>>>): Promise<NameOf>
}

interface Known {
  readonly name: string | undefined
  /** When the id was last looked up, by `elapsedMs`. */
  readonly checkedAt: number
  /** When the whole month was last searched for it; -Infinity: never successfully. */
  readonly searchedAt: number
}

/** A name that is known, or an id without one, is looked up again after this long. */
const RECHECK_MS = 15 * 60_000
/** A failed look-up is repeated after this long, so that not every page view waits for it. */
const FAILURE_RETRY_MS = 60_000
/** How far back a look-up of known ids reads: a new name is in the conversations that were loaded lately. */
const RECHECK_DAYS_BACK = 0.25
/** An id without a name is searched for in the whole month this often: that reads a month of segments. */
const SEARCH_INTERVAL_MS = 86_400_000
/** A search widens in these steps, because nearly all names occur in the last days. */
const SEARCH_DAYS_BACK = [0.25, 3, 31]
/** A slower look-up is given up. */
const TIMEOUT_MS = 4_000
const MAX_KNOWN = 20_000
/** A name on a page; names of Genesys are shorter. */
const MAX_NAME_CHARACTERS = 200

/** Selects the latest name of each of these ids since an instant. */
const NAME_QUERIES: Readonly<
  Record<NamedKind, (ids: readonly string[], since: Date) => RawBuilder<{ id: string; name: string }>>
> = {
  // The name of a queue is that of the participant that stands for it; its id is on the segments of that participant.
  queue: (ids, since) => sql`
    select distinct on (s.queue_id) s.queue_id as id, left(p.participant_name, ${MAX_NAME_CHARACTERS}) as name
    from genesys.segments s
      join genesys.participants p on p.conversation_id = s.conversation_id and p.conversation_start = s.conversation_start
        and p._index = s._participant_index
    where s.queue_id = any(${ids}::text[]) and s.conversation_start >= ${since} and p.conversation_start >= ${since}
      and p.purpose = 'acd' and p.participant_name <> ''
    order by s.queue_id, s.conversation_start desc`,
  user: (ids, since) => sql`
    select distinct on (user_id) user_id as id, left(participant_name, ${MAX_NAME_CHARACTERS}) as name
    from genesys.participants
    where user_id = any(${ids}::text[]) and conversation_start >= ${since} and participant_name <> ''
    order by user_id, conversation_start desc`,
}

/**
 * Names out of a database, remembered by the process. An id is searched for in the last month once; after that only the last
 * hours are read again, and the month once a day for ids that have no name.
 * @param elapsedMs milliseconds since any instant; never goes back
 */
export function createNames(db: Kysely<Database>, elapsedMs: () => number): Names {
  const known = new Map<string, Known>()
  let lookup: Promise<void> | null = null

  const find = (kind: NamedKind, id: string): Known | undefined => known.get(`${kind}:${id}`)

  function isDue(kind: NamedKind, id: string): boolean {
    return elapsedMs() - (find(kind, id)?.checkedAt ?? Number.NEGATIVE_INFINITY) >= RECHECK_MS
  }

  /** Whether an id has to be searched for in the whole month. */
  function needsSearch(kind: NamedKind, id: string): boolean {
    const { name, searchedAt = Number.NEGATIVE_INFINITY } = find(kind, id) ?? {}
    return name === undefined && elapsedMs() - searchedAt >= SEARCH_INTERVAL_MS
  }

  async function lookUp(kind: NamedKind, ids: readonly string[]): Promise<void> {
    const now = elapsedMs()
    const [searched, rechecked] = partition(ids, (id) => needsSearch(kind, id))
    let missing: readonly string[] = searched
    for (const days of SEARCH_DAYS_BACK) {
      const found = await selectNames(db, kind, missing, days)
      for (const [id, name] of found) known.set(`${kind}:${id}`, { name, checkedAt: now, searchedAt: now })
      missing = missing.filter((id) => !found.has(id))
    }
    const renamed = await selectNames(db, kind, rechecked, RECHECK_DAYS_BACK)
    for (const id of rechecked) {
      const { name, searchedAt = Number.NEGATIVE_INFINITY } = find(kind, id) ?? {}
      known.set(`${kind}:${id}`, { name: renamed.get(id) ?? name, checkedAt: now, searchedAt })
    }
    for (const id of missing) known.set(`${kind}:${id}`, { name: undefined, checkedAt: now, searchedAt: now })
  }

  async function lookUpAll(wanted: readonly (readonly [NamedKind, readonly string[]])[]): Promise<void> {
    if (known.size > MAX_KNOWN) known.clear()
    for (const [kind, ids] of wanted) {
      try {
        await lookUp(kind, ids)
      } catch {
        // Names are optional: a page without them is better than no page.
        const checkedAt = elapsedMs() - RECHECK_MS + FAILURE_RETRY_MS
        for (const id of ids) {
          const { name, searchedAt = Number.NEGATIVE_INFINITY } = find(kind, id) ?? {}
          known.set(`${kind}:${id}`, { name, checkedAt, searchedAt })
        }
      }
    }
  }

  return {
    async resolve(wanted) {
      const due = (Object.keys(NAME_QUERIES) as NamedKind[])
        .map((kind) => [kind, [...new Set(wanted[kind])].filter((id) => isDue(kind, id))] as const)
        .filter(([, ids]) => ids.length > 0)
      if (due.length > 0) {
        lookup ??= lookUpAll(due).finally(() => {
          lookup = null
        })
        await lookup
      }
      return (kind, id) => find(kind, id)?.name
    },
  }
}

/** The latest names of these ids in the conversations of the last days, by id. */
async function selectNames(
  db: Kysely<Database>,
  kind: NamedKind,
  ids: readonly string[],
  daysBack: number,
): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map()
  const since = new Date(Date.now() - daysBack * 86_400_000)
  const rows = await db.transaction().execute(async (trx) => {
    await sql`select set_config('statement_timeout', ${String(TIMEOUT_MS)}, true)`.execute(trx)
    return (await NAME_QUERIES[kind](ids, since).execute(trx)).rows
  })
  return new Map(rows.map(({ id, name }) => [id, name]))
}

function partition<Item>(items: readonly Item[], test: (item: Item) => boolean): [Item[], Item[]] {
  return [items.filter(test), items.filter((item) => !test(item))]
}

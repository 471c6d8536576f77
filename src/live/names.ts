/** Names of queues and users, from reference data. */
import { sql, type Kysely } from 'kysely'
import type { Database } from '../postgres/database.ts'

export type NamedKind = 'queue' | 'user'

/** The name of an id; undefined: none is known. */
export type NameOf = (kind: NamedKind, id: string) => string | undefined

export interface Names {
  /**
   * Looks up the ids that have not been looked up for a while, and gives access to all names. If a look-up is slow or fails, names stay
   * what they were; it never throws.
   */
  resolve(wanted: Readonly<Partial<Record<NamedKind, readonly string[]>>>): Promise<NameOf>
}

interface Known {
  readonly name: string | undefined
  /** When the id was last looked up, by `elapsedMs`. */
  readonly checkedAt: number
}

/** For how long viewers are shown what one look-up found. */
const KEEP_MS = 60_000
/** A slower look-up is given up. */
const TIMEOUT_MS = 4_000
const MAX_KNOWN = 20_000
/** A name on a page; names of Genesys are shorter. */
const MAX_NAME_CHARACTERS = 200

const TABLES: Readonly<Record<NamedKind, string>> = { queue: 'genesys.dim_queues', user: 'genesys.dim_users' }

/**
 * Names out of a database, remembered by the process for a minute.
 * @param elapsedMs milliseconds since any instant; never goes back
 */
export function createNames(db: Kysely<Database>, elapsedMs: () => number): Names {
  const known = new Map<string, Known>()
  let lookup: Promise<void> | null = null

  const find = (kind: NamedKind, id: string): Known | undefined => known.get(`${kind}:${id}`)

  function isDue(kind: NamedKind, id: string): boolean {
    return elapsedMs() - (find(kind, id)?.checkedAt ?? Number.NEGATIVE_INFINITY) >= KEEP_MS
  }

  async function lookUp(kind: NamedKind, ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    const checkedAt = elapsedMs()
    try {
      const found = await selectNames(db, kind, ids)
      for (const id of ids) known.set(`${kind}:${id}`, { name: found.get(id), checkedAt })
    } catch {
      // A page with the names of before, or none, is better than no page.
      for (const id of ids) known.set(`${kind}:${id}`, { name: find(kind, id)?.name, checkedAt })
    }
  }

  return {
    async resolve(wanted) {
      if (known.size > MAX_KNOWN) known.clear()
      const due = (kind: NamedKind): string[] => [...new Set(wanted[kind])].filter((id) => isDue(kind, id))
      lookup ??= Promise.all([lookUp('queue', due('queue')), lookUp('user', due('user'))])
        .then(() => {})
        .finally(() => {
          lookup = null
        })
      await lookup
      return (kind, id) => find(kind, id)?.name
    },
  }
}

/** The names of these ids, of deleted ones too; without those that have none. */
async function selectNames(
  db: Kysely<Database>,
  kind: NamedKind,
  ids: readonly string[],
): Promise<Map<string, string>> {
  const rows = await db.transaction().execute(async (trx) => {
    await sql`select set_config('statement_timeout', ${String(TIMEOUT_MS)}, true)`.execute(trx)
    const { rows } = await sql<{ id: string; name: string }>`
      select id, left(name, ${MAX_NAME_CHARACTERS}) as name from ${sql.raw(TABLES[kind])}
      where id = any(${ids}::text[]) and name <> ''`.execute(trx)
    return rows
  })
  return new Map(rows.map(({ id, name }) => [id, name]))
}

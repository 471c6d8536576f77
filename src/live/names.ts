/** Names of ids, as far as the database knows them. */
import { sql, type Kysely, type RawBuilder } from 'kysely'
import type { Database } from '../postgres/database.ts'

export type NamedKind = 'queue' | 'user' | 'flow'

/** The name of an id, or undefined where none is known. */
export type NameOf = (kind: NamedKind, id: string) => string | undefined

export interface Names {
  /**
   * Looks up what is not known yet and hands out all that is. A look-up that is slow or fails leaves ids without names
   * until the next call; it never throws.
   */
  resolve(wanted: Readonly<Partial<Record<NamedKind, readonly string[]>>>): Promise<NameOf>
}

interface NamesOptions {
  /** How long a name stands before it is looked up again, and how long an id without one is left alone. */
  readonly keepMs?: number
  /** How long a look-up may take at most. */
  readonly timeoutMs?: number
  readonly now?: () => number
}

interface Known {
  readonly name: string | undefined
  readonly until: number
}

/** Look-ups widen: nearly all names occur in the last days, and a look at a month of a large warehouse takes seconds. */
const DAYS_BACK = [3, 31]
const MOST_KNOWN = 20_000

/** A source of names: ids of a kind go in, rows of id and name come out, the latest name of each. */
type Source = (ids: readonly string[], since: Date) => RawBuilder<{ id: string; name: string }>

/** Later issues add reference tables here; of a kind's sources the first that knows an id names it. */
const sources: Readonly<Record<NamedKind, readonly Source[]>> = {
  queue: [
    // A queue's name is that of the party that stands for it; its id is on the segments of that party.
    (ids, since) => sql`
      select distinct on (s.queue_id) s.queue_id as id, p.participant_name as name
      from genesys.segments s
        join genesys.participants p on p.conversation_id = s.conversation_id and p.conversation_start = s.conversation_start
          and p._index = s._participant_index
      where s.queue_id = any(${ids}::text[]) and s.conversation_start >= ${since} and p.conversation_start >= ${since} and p.purpose = 'acd' and p.participant_name <> ''
      order by s.queue_id, s.conversation_start desc`,
  ],
  user: [
    (ids, since) => sql`
      select distinct on (user_id) user_id as id, participant_name as name from genesys.participants
      where user_id = any(${ids}::text[]) and conversation_start >= ${since} and participant_name <> ''
      order by user_id, conversation_start desc`,
  ],
  flow: [
    (ids, since) => sql`
      select distinct on (flow_id) flow_id as id, flow_name as name from genesys.flows
      where flow_id = any(${ids}::text[]) and conversation_start >= ${since} and flow_name <> ''
      order by flow_id, conversation_start desc`,
  ],
}

/** Names out of a database, remembered for a while. */
export function createNames(db: Kysely<Database>, options: NamesOptions = {}): Names {
  const { keepMs = 15 * 60_000, timeoutMs = 4_000, now = () => performance.now() } = options
  const known = new Map<string, Known>()
  let looking: Promise<void> | null = null

  async function lookUp(kind: NamedKind, ids: readonly string[]): Promise<void> {
    const until = now() + keepMs
    let missing = ids
    for (const days of DAYS_BACK) {
      for (const source of sources[kind]) {
        if (missing.length === 0) return
        const found = await query(source(missing, new Date(Date.now() - days * 86_400_000)))
        for (const { id, name } of found) known.set(`${kind}:${id}`, { name, until })
        missing = missing.filter((id) => known.get(`${kind}:${id}`)?.until !== until)
      }
    }
    // what had a name keeps it, even where the last month does not know it
    for (const id of missing) known.set(`${kind}:${id}`, { name: known.get(`${kind}:${id}`)?.name, until })
  }

  async function query(statement: RawBuilder<{ id: string; name: string }>): Promise<{ id: string; name: string }[]> {
    return await db.transaction().execute(async (trx) => {
      await sql`select set_config('statement_timeout', ${String(timeoutMs)}, true)`.execute(trx)
      return (await statement.execute(trx)).rows
    })
  }

  async function lookUpAll(wanted: [NamedKind, string[]][]): Promise<void> {
    if (known.size > MOST_KNOWN) known.clear()
    for (const [kind, ids] of wanted) {
      try {
        await lookUp(kind, ids)
      } catch {
        // Names are an extra: a page without them says more than no page. Left alone for a while, lest each view waits.
        const until = now() + Math.min(keepMs, 60_000)
        for (const id of ids) known.set(`${kind}:${id}`, { name: known.get(`${kind}:${id}`)?.name, until })
      }
    }
  }

  return {
    async resolve(wanted) {
      const kinds = Object.keys(sources) as NamedKind[]
      const due = kinds
        .map((kind): [NamedKind, string[]] => [
          kind,
          [...new Set(wanted[kind])].filter(
            (id) => (known.get(`${kind}:${id}`)?.until ?? Number.NEGATIVE_INFINITY) <= now(),
          ),
        ])
        .filter(([, ids]) => ids.length > 0)
      if (due.length > 0) {
        looking ??= lookUpAll(due).finally(() => {
          looking = null
        })
        await looking
      }
      return (kind, id) => known.get(`${kind}:${id}`)?.name
    },
  }
}

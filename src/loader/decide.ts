/** The one row that decides about a conversation: what it says of the records of a batch, under its lock. */
import { sql, type Transaction } from 'kysely'
import { DERIVED_VERSION } from '../facts/derived.ts'
import type { JsonObject } from '../model/json.ts'
import type { Database } from '../postgres/database.ts'
import { forgetStoredAttributes, selectMissing, selectStartsOf } from './presence.ts'
import type { ChangedConversation } from './replace.ts'

/** A record with its key and hashes. */
export interface Entry {
  readonly conversationId: string
  readonly conversationStart: string
  readonly fetchedAt: string
  readonly rejectedId: number | undefined
  /** As the policy for personal data lets it be stored; its retention is applied in the transaction that stores it. */
  readonly raw: JsonObject
  readonly contentHash: string
  /** null: not delivered; empty: delivered, and there are none. */
  readonly attributesHash: string | null
}

/** The answer of a deciding row; there is none where it refused the record because it is not newer. */
export interface Decision {
  readonly conversation_id: string
  readonly previous_start: string | null
  readonly previous_content_hash: string | null
  readonly previous_attributes_hash: string | null
  /**
   * The content that its derived rows had come from (null: it has none, or they were lost), and the version of the rules; null: the row is new.
   */
  readonly previous_derived: readonly [hash: string | null, version: string | null] | null
  readonly fetched_at: string
  readonly transaction_id: string
}

/**
 * Upserts the deciding rows, and locks them until the transaction ends: returns one row for every entry that is newer than
 * what is stored, with what was stored before. (Postgres 14 has no RETURNING of old values, hence the previous_ columns.)
 *
 * Where the content is new, its rows are derived in this transaction, so derived_hash follows it; a mere confirmation leaves it alone.
 * previous_derived is what the statement's snapshot had: perhaps older than what the lock shows, but a loader that has changed
 * it since has also put the derived rows in order.
 *
 * A stored fetched_at that lies in the future was written while the database's clock was ahead, so it says nothing about
 * which answer is newer, and the entry wins. That is safe among concurrent loaders, because no fetched_at is stored that is
 * later than the clock at that moment, and the row's lock orders those moments.
 */
export async function decide(trx: Transaction<Database>, entries: readonly Entry[]): Promise<Decision[]> {
  const column = (name: keyof Entry) => entries.map((entry) => entry[name])
  const { rows } = await sql<Decision>`
    insert into etl.conversations as c
      (conversation_id, conversation_start, content_hash, attributes_hash, fetched_at, attributes_fetched_at, derived_hash,
        derived_version)
    select id, start, content, attributes, least(fetched, clock_timestamp()),
      case when attributes is not null then least(fetched, clock_timestamp()) end, content, ${DERIVED_VERSION}::integer
    from unnest(${column('conversationId')}::text[], ${column('conversationStart')}::timestamptz[],
      ${column('contentHash')}::text[], ${column('attributesHash')}::text[], ${column('fetchedAt')}::timestamptz[])
      as entry (id, start, content, attributes, fetched)
    on conflict (conversation_id) do update set
      conversation_start = excluded.conversation_start,
      content_hash = excluded.content_hash,
      attributes_hash = coalesce(excluded.attributes_hash, c.attributes_hash),
      fetched_at = excluded.fetched_at,
      attributes_fetched_at = coalesce(excluded.attributes_fetched_at, c.attributes_fetched_at),
      confirmed_at = now(),
      previous_start = c.conversation_start,
      previous_content_hash = c.content_hash,
      previous_attributes_hash = c.attributes_hash,
      derived_hash = case when c.content_hash = excluded.content_hash then c.derived_hash else excluded.derived_hash end,
      derived_version =
        case when c.content_hash = excluded.content_hash then c.derived_version else excluded.derived_version end
    where excluded.fetched_at > c.fetched_at or c.fetched_at > clock_timestamp()
    returning conversation_id, previous_start::text, previous_content_hash, previous_attributes_hash,
      (select array[stored.derived_hash, stored.derived_version::text] from etl.conversations stored
        where stored.conversation_id = c.conversation_id) as previous_derived,
      fetched_at::text,
      pg_current_xact_id()::text as transaction_id`.execute(trx)
  return rows
}

interface SortedEntries {
  /** To be replaced, new ones among them. */
  readonly changed: ChangedConversation[]
  /** Ids of those among `changed` whose content is stored already. */
  readonly withSameContent: string[]
  /** Older than what is stored. */
  readonly stale: Entry[]
  /** How many of `changed` are new. */
  readonly inserted: number
}

/** Tells from the deciding rows, which are locked, what becomes of each entry. */
export async function sortOut(
  trx: Transaction<Database>,
  entries: readonly Entry[],
  decisions: ReadonlyMap<string, Decision>,
  { sweep }: { readonly sweep: boolean },
): Promise<SortedEntries> {
  const missing = await findMissing(trx, entries, decisions)
  const isNew = ({ conversationId }: Entry) => decisions.get(conversationId)?.previous_content_hash === null
  const swept = sweep ? entries.filter(isNew).map(({ conversationId }) => conversationId) : []
  const strays = await selectStartsOf(trx, [...missing, ...swept])
  const changed: ChangedConversation[] = []
  const withSameContent: string[] = []
  const stale: Entry[] = []
  let inserted = 0
  for (const entry of entries) {
    const decision = decisions.get(entry.conversationId)
    if (decision === undefined) {
      stale.push(entry)
      continue
    }
    if (isNew(entry)) inserted++
    else if (isUnchanged(entry, decision) && !missing.has(entry.conversationId)) continue
    if (entry.contentHash === decision.previous_content_hash) withSameContent.push(entry.conversationId)
    const known = isNew(entry) ? (sweep ? entry.conversationStart : null) : decision.previous_start
    changed.push({
      ...entry,
      deliversAttributes: entry.attributesHash !== null,
      previousStart: known,
      strayStarts: strays.get(entry.conversationId) ?? [],
      hasStoredAttributes: Boolean(decision.previous_attributes_hash),
      mayHaveStrayRows: sweep || mayHaveStrayRows(decision),
    })
  }
  return { changed, withSameContent, stale, inserted }
}

/**
 * The ids of the entries that count as unchanged although their row is lost, or was missing at Genesys: they are written again. Stored
 * attributes that went with the row and do not come with the entry are forgotten.
 */
async function findMissing(
  trx: Transaction<Database>,
  entries: readonly Entry[],
  decisions: ReadonlyMap<string, Decision>,
): Promise<ReadonlySet<string>> {
  const missing = await selectMissing(
    trx,
    entries.flatMap((entry) => {
      const decision = decisions.get(entry.conversationId)
      return decision?.previous_start && isUnchanged(entry, decision)
        ? [{ conversationId: entry.conversationId, start: decision.previous_start }]
        : []
    }),
    { unlessMarked: true },
  )
  const undelivered = entries.filter((entry) => entry.attributesHash === null && missing.has(entry.conversationId))
  await forgetStoredAttributes(
    trx,
    undelivered.map(({ conversationId }) => conversationId),
  )
  return missing
}

/** Whether a record has nothing that is not stored already. */
function isUnchanged(entry: Entry, decision: Decision): boolean {
  if (decision.previous_content_hash !== entry.contentHash) return false
  return entry.attributesHash === null || entry.attributesHash === (decision.previous_attributes_hash ?? '')
}

/**
 * Whether a process of a release that does not know of all derived rows may have moved the conversation away from them: it has changed the
 * content since they were derived, or has derived fewer of them, and previous_start is where it has put the rows.
 */
function mayHaveStrayRows(decision: Decision): boolean {
  const [hash, version] = decision.previous_derived ?? [null, null]
  return hash !== null && (hash !== decision.previous_content_hash || version !== String(DERIVED_VERSION))
}

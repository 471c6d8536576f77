/** Finds what is stored about a person: by conversations, by contacts, and by addresses in whatever field. */
import { sql, type Kysely, type RawBuilder } from 'kysely'
import { ConfigError } from '../errors.ts'
import { normalizeAddress } from '../model/address.ts'
import { columnsOf, tables, type TableName } from '../model/columns.ts'
import { parseJson } from '../model/json.ts'
import { isHashed, type PersonalPolicy } from '../model/personal.ts'
import { fillRejectedIds, recordOf } from '../loader/rejected.ts'
import { monthBounds, selectMonths } from '../loader/partitions.ts'
import type { Warehouse } from '../postgres/connect.ts'
import type { Database } from '../postgres/database.ts'
import { holdsAddress, holdsField, searchableTextOf, searchKeyOf, type SoughtAddresses } from './match.ts'

/** By what a person is looked for; all that fits any of them is found. */
export interface PersonKeys {
  readonly conversationIds: readonly string[]
  readonly externalContactIds: readonly string[]
  readonly addresses: readonly string[]
}

/** A rejected record of a person. */
export interface RejectedTrace {
  readonly id: number
  readonly conversationId: string | null
  readonly rawHash: string
}

/** What is stored about a person. */
export interface PersonTraces {
  /** The given conversations, and those that were found. */
  readonly conversationIds: ReadonlySet<string>
  readonly rejected: readonly RejectedTrace[]
}

/** Rows of one statement: they bound the memory of a search. */
const PAGE_SIZE = 2000

/**
 * Searches the history, month by month, and the rejected records. An address is found wherever a field that the model marks as personal
 * equals it, once both are normalized: in columns, in `_extra` and in attributes. Where hashes are stored, those of the keys are looked for, too.
 * @throws ConfigError where the policy for personal data has dropped what is looked for; a database error; the signal's reason
 */
export async function findPerson(
  { db, personalPolicy }: Pick<Warehouse, 'db' | 'personalPolicy'>,
  keys: PersonKeys,
  signal: AbortSignal,
): Promise<PersonTraces> {
  refuseDropped(keys, personalPolicy)
  await fillRejectedIds(db)
  const conversationIds = new Set(keys.conversationIds)
  const sought = soughtAddresses(keys.addresses, personalPolicy)
  const contacts = withHashes(keys.externalContactIds, personalPolicy)
  const months = keys.externalContactIds.length + keys.addresses.length > 0 ? await selectMonths(db) : []
  for (const month of months) {
    signal.throwIfAborted()
    for (const id of await selectOfContacts(db, month, contacts)) conversationIds.add(id)
    if (keys.addresses.length === 0) continue
    for (const table of tables) await searchTable(db, { table, month, sought, signal }, conversationIds)
  }
  const rejected = await searchRejected(db, { contacts, sought, conversationIds, signal })
  for (const { conversationId } of rejected) if (conversationId !== null) conversationIds.add(conversationId)
  return { conversationIds, rejected }
}

/** @throws ConfigError where nothing of what is looked for is stored */
function refuseDropped({ externalContactIds, addresses }: PersonKeys, { customers }: PersonalPolicy): void {
  if (customers !== 'drop' || externalContactIds.length + addresses.length === 0) return
  throw new ConfigError(
    'PII=drop: neither addresses nor contacts of customers are stored, so no conversation can be found by them',
    'Find the ids of the conversations in Genesys, and name these: --conversation-id.',
  )
}

function soughtAddresses(addresses: readonly string[], policy: PersonalPolicy): SoughtAddresses {
  const normalized = new Set(addresses.map(normalizeAddress))
  return { normalized, stored: new Set(withHashes(addresses, policy).filter((text) => isHashed(text))) }
}

/** The texts, and what stands for them where the policy has hashed them. */
function withHashes(texts: readonly string[], { hasher }: PersonalPolicy): string[] {
  return hasher === null ? [...texts] : texts.flatMap((text) => [text, hasher.address(text), hasher.text(text)])
}

async function selectOfContacts(
  db: Kysely<Database>,
  month: string,
  externalContactIds: readonly string[],
): Promise<string[]> {
  if (externalContactIds.length === 0) return []
  const { from, to } = monthBounds(month)
  const { rows } = await sql<{ id: string }>`
    select distinct conversation_id as id from genesys.participants
    where conversation_start >= ${from} and conversation_start < ${to}
      and external_contact_id = any(${externalContactIds}::text[])`.execute(db)
  return rows.map(({ id }) => id)
}

interface TableSearch {
  readonly table: TableName
  /** YYYY-MM */
  readonly month: string
  readonly sought: SoughtAddresses
  readonly signal: AbortSignal
}

/** Adds the conversations with a matching value in the table's personal columns. */
async function searchTable(
  db: Kysely<Database>,
  { table, month, sought, signal }: TableSearch,
  found: Set<string>,
): Promise<void> {
  const personal = columnsOf(table).filter((column) => column.personal)
  if (personal.length === 0) return
  const { from, to } = monthBounds(month)
  const conditions = personal.map(({ name, type }) => mayHold(textOf(name, type), sought))
  const values = sql.join(personal.map(({ name }) => sql.ref(name)))
  let last: Place | null = null
  for (;;) {
    signal.throwIfAborted()
    const after: RawBuilder<unknown> = last
      ? sql`and (conversation_id, conversation_start, _index) > (${last.id}, ${last.start}::timestamptz, ${last.index}::integer)`
      : sql.raw('')
    const { rows }: { rows: (Place & { readonly values: string })[] } = await sql<Place & { readonly values: string }>`
      select conversation_id as id, conversation_start::text as start, _index as index, jsonb_build_array(${values})::text as values
      from ${sql.table(`genesys.${table}`)}
      where conversation_start >= ${from} and conversation_start < ${to} ${after} and (${sql.join(conditions, sql` or `)})
      order by conversation_id, conversation_start, _index limit ${PAGE_SIZE}`.execute(db)
    for (const row of rows) if (holdsAddress(parseJson(row.values), sought)) found.add(row.id)
    last = rows.at(-1) ?? null
    if (rows.length < PAGE_SIZE) return
  }
}

interface Place {
  readonly id: string
  readonly start: string
  readonly index: number
}

function textOf(name: string, type: string): RawBuilder<unknown> {
  return type === 'text[]' ? sql`array_to_string(${sql.ref(name)}, ' ')` : sql`${sql.ref(name)}::text`
}

/** Whether a text may hold one of the addresses: false only where it holds none. */
function mayHold(text: RawBuilder<unknown>, { normalized, stored }: SoughtAddresses): RawBuilder<unknown> {
  const keys = [...normalized].map(searchKeyOf)
  if (keys.includes(null)) return sql`${text} is not null`
  const patterns = [...keys, ...[...stored].map(searchableTextOf)].map((key) => `%${key}%`)
  return sql`${searchableText(text)} like any(${patterns}::text[])`
}

/** searchableTextOf in SQL, whatever the collation of the database. */
function searchableText(text: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`regexp_replace(lower(normalize(${text}, NFKC) collate "C"), '[^0-9a-z]', '', 'g')`
}

interface RejectedSearch {
  /** Ids of external contacts, and their hashes. */
  readonly contacts: readonly string[]
  readonly sought: SoughtAddresses
  readonly conversationIds: ReadonlySet<string>
  readonly signal: AbortSignal
}

/** The rejected records of the conversations, and those that hold an address or a contact. */
async function searchRejected(
  db: Kysely<Database>,
  { contacts, sought, conversationIds, signal }: RejectedSearch,
): Promise<RejectedTrace[]> {
  const contactIds = new Set(contacts)
  const ids = [...conversationIds]
  const conditions = [
    sql`conversation_id = any(${ids}::text[])`,
    ...contacts.map((id) => sql`position(${id} in raw::text) > 0`),
    ...(sought.normalized.size > 0 ? [mayHold(sql`raw::text`, sought)] : []),
  ]
  const found: RejectedTrace[] = []
  let last = 0
  for (;;) {
    signal.throwIfAborted()
    const { rows } = await sql<RejectedTrace & { readonly raw: string }>`
      select id, conversation_id as "conversationId", raw_hash as "rawHash", raw::text as raw from etl.rejected_records
      where id > ${last} and (${sql.join(conditions, sql` or `)}) order by id limit ${REJECTED_PAGE_SIZE}`.execute(db)
    for (const { raw, ...trace } of rows) {
      const record = recordOf(raw)
      const isOfConversation = trace.conversationId !== null && conversationIds.has(trace.conversationId)
      if (isOfConversation || holdsAddress(record, sought) || holdsField(record, 'externalContactId', contactIds))
        found.push(trace)
    }
    last = rows.at(-1)?.id ?? last
    if (rows.length < REJECTED_PAGE_SIZE) return found
  }
}

/** Records are larger than rows. */
const REJECTED_PAGE_SIZE = 200

/** One person hardly has so many conversations … */
const MANY_CONVERSATIONS = 1000
/** … and of all conversations hardly such a share. */
const LARGE_SHARE = 0.01

/** Whether so many conversations are hardly those of one person, given how many are stored. */
export async function isMostOfHistory(db: Kysely<Database>, conversations: number): Promise<boolean> {
  if (conversations <= MANY_CONVERSATIONS) return false
  const { rows } = await sql<{ stored: number }>`select count(*)::integer as stored from etl.conversations`.execute(db)
  return conversations > LARGE_SHARE * (rows[0]?.stored ?? 0)
}

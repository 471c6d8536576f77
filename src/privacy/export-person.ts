/** Writes what is stored about a person, for an access request. */
import { sql, type Kysely } from 'kysely'
import { chunks } from '../chunks.ts'
import { recordOf } from '../loader/rejected.ts'
import { readBack } from '../loader/read-back.ts'
import type { JsonObject, JsonValue } from '../model/json.ts'
import { parseJson } from '../model/json.ts'
import { reassemble } from '../model/reassemble.ts'
import type { Row, RowSet } from '../model/columns.ts'
import type { Database } from '../postgres/database.ts'
import type { PersonTraces } from './find-person.ts'

/** Conversations that are held in memory at once. */
const BATCH_SIZE = 100

/** A part of an export: one conversation, one rejected record, or what live has of one that is open. */
export interface ExportedPart {
  readonly kind: 'conversation' | 'rejected record' | 'open conversation'
  /** null: the record names none. */
  readonly conversationId: string | null
  readonly content: JsonValue
}

/**
 * Everything that is stored about a person, part by part: each conversation whole, as Genesys sent it, with attributes; then rejected records;
 * then what live has of open ones.
 * @throws a database error; the signal's reason
 */
export async function* exportPerson(
  db: Kysely<Database>,
  { conversationIds, rejected }: PersonTraces,
  signal: AbortSignal,
): AsyncGenerator<ExportedPart> {
  const ids = [...conversationIds].sort()
  for (const batch of chunks(ids, BATCH_SIZE)) {
    signal.throwIfAborted()
    const stored = await readBack(db, batch)
    for (const [conversationId, rows] of stored)
      for (const content of versionsOf(rows)) yield { kind: 'conversation', conversationId, content }
  }
  const recordIds = rejected.map(({ id }) => id)
  for (const batch of chunks(recordIds, BATCH_SIZE)) {
    signal.throwIfAborted()
    const { rows } = await sql<{ conversationId: string | null; raw: string }>`
      select conversation_id as "conversationId", raw::text as raw from etl.rejected_records
      where id = any(${batch}::bigint[]) order by id`.execute(db)
    for (const { conversationId, raw } of rows)
      yield { kind: 'rejected record', conversationId, content: recordOf(raw) }
  }
  const { rows } = await sql<{ conversationId: string; content: string }>`
    select conversation_id as "conversationId", to_jsonb(l)::text as content from genesys.live_conversations l
    where conversation_id = any(${ids}::text[]) order by 1`.execute(db)
  for (const { conversationId, content } of rows)
    yield { kind: 'open conversation', conversationId, content: parseJson(content) }
}

/** A conversation under each start that it stands under: there is one, unless rows were left behind. */
function versionsOf(rows: RowSet): JsonObject[] {
  const startOf = (row: Row): string => row[1] as string
  return [...new Set(rows.conversations.map(startOf))].map((start) => {
    const entries = Object.entries(rows).map(([table, all]) => [table, all.filter((row) => startOf(row) === start)])
    return reassemble(Object.fromEntries(entries) as RowSet)
  })
}

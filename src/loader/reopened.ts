/** Finds conversations that have gone on after their end: threads of e-mail and messages, mostly. */
import { sql, type Transaction } from 'kysely'
import { objects, type JsonObject } from '../model/json.ts'
import { canonicalTime } from '../model/timestamps.ts'
import type { Database } from '../postgres/database.ts'
import { idsByMonth, monthBounds } from './partitions.ts'

interface Replaced {
  readonly conversationId: string
  /** The start under which the version is stored that will be replaced; null: none is. */
  readonly previousStart: string | null
  readonly raw: JsonObject
}

/** How many of these conversations have gone on after the end that is stored. To be called before they are replaced. */
export async function countReopened(trx: Transaction<Database>, changed: readonly Replaced[]): Promise<number> {
  const known = changed.filter(({ previousStart }) => previousStart !== null)
  const ends = new Map<string, Date>()
  for (const [month, ids] of idsByMonth(known, ({ previousStart }) => previousStart!)) {
    const { from, to } = monthBounds(month)
    const { rows } = await sql<{ id: string; end: Date }>`
      select conversation_id as id, conversation_end as "end" from genesys.conversations
      where conversation_id = any(${ids}::text[]) and conversation_start >= ${from} and conversation_start < ${to}
        and conversation_end is not null`.execute(trx)
    for (const { id, end } of rows) ends.set(id, end)
  }
  return known.filter(({ conversationId, raw }) => {
    const end = ends.get(conversationId)
    return end !== undefined && goesOnAfter(raw, end)
  }).length
}

/** When a conversation ended, in canonical spelling, as its column has it; null: it has not. */
export function endOf(raw: JsonObject): string | null {
  const { conversationEnd } = raw
  return typeof conversationEnd === 'string' ? canonicalTime(conversationEnd) : null
}

/** Whether a record is open, or has a segment that began later than an instant. */
function goesOnAfter(raw: JsonObject, end: Date): boolean {
  if (endOf(raw) === null) return true
  const sessions = objects(raw['participants']).flatMap(({ sessions }) => objects(sessions))
  const segments = sessions.flatMap(({ segments }) => objects(segments))
  return segments.some(
    ({ segmentStart }) => typeof segmentStart === 'string' && Date.parse(canonicalTime(segmentStart) ?? '') > +end,
  )
}

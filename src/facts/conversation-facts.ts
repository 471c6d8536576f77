/** One row for each conversation: what happened in it as a whole. Pure. */
import type { DerivedColumn } from '../intervals/derived-column.ts'
import { columnIndex, type Row, type Value } from '../model/columns.ts'
import { compareTimes } from '../model/timestamps.ts'
import { isConnected } from './agent-sessions.ts'
import {
  endOf,
  firstSession,
  isAgentSession,
  lastSegment,
  startOf,
  type Conversation,
  type Session,
} from './conversation.ts'
import { customerAddress } from './customer-address.ts'
import { queueOf } from './session-queue.ts'
import { totals } from './totals.ts'

const conversationTotals = totals([
  'offered',
  'transferred',
  'blind_transferred',
  'consult_transferred',
  'answered',
  'abandoned',
  'short_abandoned',
  'flow_outs',
  'wait_ms',
  'handled',
  'handle_ms',
  'talk_ms',
  'holds',
  'hold_ms',
  'acw_ms',
  'ivr_ms',
])

/** The columns of etl.conversation_facts that are derived, in the table's order. */
export const conversationFactColumns: readonly DerivedColumn[] = [
  { name: 'conversation_id', type: 'text' },
  { name: 'conversation_start', type: 'timestamptz' },
  { name: 'conversation_end', type: 'timestamptz' },
  { name: 'originating_direction', type: 'text' },
  { name: 'media_type', type: 'text' },
  { name: 'media_types', type: 'text[]' },
  { name: 'message_type', type: 'text' },
  { name: 'division_ids', type: 'text[]' },
  { name: 'first_queue_id', type: 'text' },
  { name: 'last_queue_id', type: 'text' },
  { name: 'queue_count', type: 'integer' },
  { name: 'first_user_id', type: 'text' },
  { name: 'last_user_id', type: 'text' },
  { name: 'agent_count', type: 'integer' },
  { name: 'customer_end', type: 'timestamptz' },
  { name: 'customer_address', type: 'text' },
  { name: 'wrap_up_code_id', type: 'text' },
  { name: 'disconnect_type', type: 'text' },
  { name: 'survey_score', type: 'bigint' },
  { name: 'evaluation_score', type: 'bigint' },
  ...conversationTotals.columns,
]

const SLOT = {
  conversationEnd: columnIndex('conversations', 'conversation_end'),
  originatingDirection: columnIndex('conversations', 'originating_direction'),
  divisionIds: columnIndex('conversations', 'division_ids'),
  mediaType: columnIndex('sessions', 'media_type'),
  messageType: columnIndex('sessions', 'message_type'),
  wrapUpCode: columnIndex('segments', 'wrap_up_code'),
  disconnectType: columnIndex('segments', 'disconnect_type'),
  evaluationIndex: columnIndex('evaluations', '_index'),
  evaluationTime: columnIndex('evaluations', 'event_time'),
  evaluationScore: columnIndex('evaluations', 'o_total_score'),
  surveyIndex: columnIndex('surveys', '_index'),
  surveyTime: columnIndex('surveys', 'event_time'),
  surveyScore: columnIndex('surveys', 'o_survey_total_score'),
}

/**
 * The row of a conversation, aligned with conversationFactColumns. The customer are the participants of purpose customer, or external
 * where there are none; their sessions count together.
 */
export function conversationFact({ row, sessions, evaluations, surveys }: Conversation): Row {
  const customer = customerSessions(sessions)
  const queues = ordered(
    sessions.filter(({ purpose }) => purpose === 'acd'),
    queueOf,
  )
  const users = ordered(
    sessions.filter((session) => isAgentSession(session) && isConnected(session)),
    ({ user }) => user,
  )
  const first = firstSession(customer) ?? firstSession(sessions)
  const wrapUp = lastSegment(sessions, (segment) => segment[SLOT.wrapUpCode] !== null)
  return [
    row[0]!,
    row[1]!,
    row[SLOT.conversationEnd]!,
    row[SLOT.originatingDirection]!,
    first?.row[SLOT.mediaType] ?? null,
    mediaTypes(sessions),
    first?.row[SLOT.messageType] ?? null,
    row[SLOT.divisionIds]!,
    queues.first,
    queues.last,
    queues.count,
    users.first,
    users.last,
    users.count,
    endOf(customer),
    customerAddress(customer.length > 1 ? byStart(customer) : customer),
    wrapUp?.[SLOT.wrapUpCode] ?? null,
    lastSegment(customer)?.[SLOT.disconnectType] ?? null,
    latest(surveys, SLOT.surveyScore, SLOT.surveyTime, SLOT.surveyIndex),
    latest(evaluations, SLOT.evaluationScore, SLOT.evaluationTime, SLOT.evaluationIndex),
    ...conversationTotals.of(sessions),
  ]
}

function customerSessions(sessions: readonly Session[]): readonly Session[] {
  const customers = sessions.filter(({ purpose }) => purpose === 'customer')
  return customers.length > 0 ? customers : sessions.filter(({ purpose }) => purpose === 'external')
}

function byStart(sessions: readonly Session[]): Session[] {
  return sessions.toSorted((a, b) => compareTimes(startOf(a), startOf(b)) || a.index - b.index)
}

/** The different media types of sessions, sorted. */
function mediaTypes(sessions: readonly Session[]): string[] {
  const types = new Set(sessions.map(({ row }) => row[SLOT.mediaType] as string | null))
  types.delete(null)
  return [...(types as Set<string>)].sort()
}

interface Ordered {
  readonly first: string | null
  readonly last: string | null
  /** Different ones. */
  readonly count: number
}

/** Of the sessions that have one: the id in the session of the first segment, in that of the last one, and how many there are. */
function ordered(sessions: readonly Session[], idOf: (session: Session) => string | null): Ordered {
  const ids = new Map<Session, string>()
  for (const session of sessions) {
    const id = idOf(session)
    if (id !== null) ids.set(session, id)
  }
  const having = [...ids.keys()]
  const first = having.length > 1 ? firstSession(having) : having[0]
  const last = having.length > 1 ? lastSession(having) : having[0]
  return {
    first: first ? ids.get(first)! : null,
    last: last ? ids.get(last)! : null,
    count: new Set(ids.values()).size,
  }
}

/** The session whose last segment began latest, of several the one with the highest `_index`. */
function lastSession(sessions: readonly Session[]): Session | undefined {
  const segment = lastSegment(sessions)
  return segment === null ? sessions.at(-1) : sessions.find(({ segments }) => segments.includes(segment))
}

/** The latest score that there is, by its time, then by its place. */
function latest(rows: readonly Row[], score: number, time: number, index: number): Value {
  let found: Row | null = null
  for (const row of rows) {
    if (row[score] === null) continue
    const order =
      found === null
        ? 1
        : compareTimes(row[time] as string | null, found[time] as string | null) ||
          (row[index] as number) - (found[index] as number)
    if (order > 0) found = row
  }
  return found?.[score] ?? null
}

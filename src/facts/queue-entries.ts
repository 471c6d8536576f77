/** One row for each time that a conversation entered a queue: each session of a participant of purpose acd. Pure. */
import type { DerivedColumn } from '../intervals/derived-column.ts'
import { columnIndex, type Row, type Value } from '../model/columns.ts'
import { compareTimes } from '../model/timestamps.ts'
import { isConnected } from './agent-sessions.ts'
import {
  endOf,
  firstSegment,
  isAgentSession,
  isOpen,
  startOf,
  type Conversation,
  type Session,
} from './conversation.ts'
import { queueOf } from './session-queue.ts'
import { totals } from './totals.ts'

const entryTotals = totals(['wait_ms'])
const overServiceLevel = totals(['over_service_level'])

/** The columns of etl.queue_entries that are derived, in the table's order. */
export const queueEntryColumns: readonly DerivedColumn[] = [
  { name: 'conversation_id', type: 'text' },
  { name: 'conversation_start', type: 'timestamptz' },
  { name: '_session_index', type: 'integer' },
  { name: 'queue_id', type: 'text' },
  { name: 'media_type', type: 'text' },
  { name: 'direction', type: 'text' },
  { name: 'entered_at', type: 'timestamptz' },
  { name: 'left_at', type: 'timestamptz' },
  { name: 'answered_by_user_id', type: 'text' },
  { name: 'requested_skill_ids', type: 'text[]' },
  { name: 'requested_language_id', type: 'text' },
  { name: 'outcome', type: 'text' },
  ...entryTotals.columns,
  ...overServiceLevel.columns,
]

const SLOT = {
  mediaType: columnIndex('sessions', 'media_type'),
  direction: columnIndex('sessions', 'direction'),
  skills: columnIndex('segments', 'requested_routing_skill_ids'),
  language: columnIndex('segments', 'requested_language_id'),
  metricName: columnIndex('session_metrics', 'name'),
  emitDate: columnIndex('session_metrics', 'emit_date'),
}

/** What came of an entry. */
type Outcome = 'short_abandoned' | 'abandoned' | 'flow_out' | 'answered' | 'waiting' | 'other'

/** A session of a queue, with what the others are compared by. */
interface Entry {
  readonly session: Session
  readonly enteredAt: string | null
  readonly queue: string | null
  /** When the next session of a queue began; null: there is none. */
  readonly until: string | null
}

/** The rows of a conversation's queue entries, aligned with queueEntryColumns, in the order of the sessions. */
export function queueEntriesOf({ row, sessions }: Conversation): Row[] {
  const entries = entriesOf(sessions)
  if (entries.length === 0) return []
  const agents = sessions.filter(isAgentSession)
  const judged = new Set<Session>()
  return entries.map((entry): Row => {
    const { session, enteredAt, queue } = entry
    const only = [session]
    const answering = answeringSession(entry, agents)
    const outcome = outcomeOf(session, answering !== null)
    // not known: whether nOverSla is on the session of the queue or on that of the agent
    const carriers = answering === null || judged.has(answering) ? only : [session, answering]
    if (answering !== null) judged.add(answering)
    return [
      row[0]!,
      row[1]!,
      session.index,
      queue,
      session.row[SLOT.mediaType]!,
      session.row[SLOT.direction]!,
      enteredAt,
      endOf(only),
      outcome === 'answered' ? answering!.user : null,
      requested(session, SLOT.skills),
      requested(session, SLOT.language),
      outcome,
      ...entryTotals.of(only),
      ...overServiceLevel.of(carriers),
    ]
  })
}

/** In the order of the sessions. */
function entriesOf(sessions: readonly Session[]): Entry[] {
  const started = sessions
    .filter(({ purpose }) => purpose === 'acd')
    .map((session) => ({ session, enteredAt: startOf(session), queue: queueOf(session) }))
  const inOrder = started.toSorted(
    (a, b) => compareTimes(a.enteredAt, b.enteredAt) || a.session.index - b.session.index,
  )
  const until = new Map(inOrder.map(({ session }, place) => [session, inOrder[place + 1]?.enteredAt ?? null]))
  return started.map((entry) => ({ ...entry, until: until.get(entry.session) ?? null }))
}

function outcomeOf(session: Session, isAnswered: boolean): Outcome {
  const has = (name: string): boolean => session.metrics.some((metric) => metric[SLOT.metricName] === name)
  if (has('tShortAbandon')) return 'short_abandoned'
  if (has('tAbandon')) return 'abandoned'
  if (has('tFlowOut')) return 'flow_out'
  if (isAnswered) return 'answered'
  return !has('tAcd') && isOpen(session) ? 'waiting' : 'other'
}

/**
 * The agent session that answered an entry: one whose tAnswered was emitted within a second of the entry's tAcd, the nearest of them; where
 * there is none, the connected one of the same queue that began first, not before the entry and before the next one.
 */
function answeringSession(entry: Entry, agents: readonly Session[]): Session | null {
  return nearestAnswer(entry.session, agents) ?? firstConnected(entry, agents)
}

const TOLERANCE_MICROS = 1_000_000

function nearestAnswer(queue: Session, agents: readonly Session[]): Session | null {
  const left = emitDates(queue, 'tAcd')
  let nearest: Session | null = null
  let distance = TOLERANCE_MICROS
  for (const agent of agents) {
    for (const answered of emitDates(agent, 'tAnswered')) {
      for (const each of left) {
        const micros = Math.abs(microsBetween(answered, each))
        if (micros > distance || (nearest !== null && micros === distance)) continue
        nearest = agent
        distance = micros
      }
    }
  }
  return nearest
}

function emitDates({ metrics }: Session, name: string): string[] {
  const dates: string[] = []
  for (const metric of metrics) {
    const emitDate = metric[SLOT.emitDate] as string | null
    // `infinity` and years before Christ, which only SQL can have written, are not in canonical spelling
    if (metric[SLOT.metricName] === name && emitDate?.endsWith('Z')) dates.push(emitDate)
  }
  return dates
}

/** Between instants in canonical spelling. Exact where it is below some centuries. */
function microsBetween(a: string, b: string): number {
  const millis = Date.parse(`${a.slice(0, 23)}Z`) - Date.parse(`${b.slice(0, 23)}Z`)
  return millis * 1000 + microsBehind(a) - microsBehind(b)
}

/** The digits of an instant behind its milliseconds. */
function microsBehind(instant: string): number {
  return instant.length > 24 ? Number(instant.slice(23, -1)) : 0
}

function firstConnected({ enteredAt, queue, until }: Entry, agents: readonly Session[]): Session | null {
  if (queue === null || enteredAt === null) return null
  let first: Session | null = null
  let start: string | null = null
  for (const agent of agents) {
    const began = startOf(agent)
    if (began === null || compareTimes(began, enteredAt) < 0) continue
    if (until !== null && compareTimes(began, until) >= 0) continue
    if (first !== null && compareTimes(began, start) >= 0) continue
    if (queueOf(agent) !== queue || !isConnected(agent)) continue
    first = agent
    start = began
  }
  return first
}

/** What the first segment that asks for any has asked for. */
function requested(session: Session, slot: number): Value {
  return firstSegment([session], (segment) => segment[slot] !== null)?.[slot] ?? null
}

/** One row for each session of an agent: a participant of purpose agent or user. Pure. */
import type { DerivedColumn } from '../intervals/derived-column.ts'
import { columnIndex, type Row } from '../model/columns.ts'
import { compareTimes } from '../model/timestamps.ts'
import { endOf, firstSegment, isAgentSession, lastSegment, type Conversation, type Session } from './conversation.ts'
import { queueOf } from './session-queue.ts'
import { totals } from './totals.ts'

const sessionTotals = totals(['alert_ms', 'talk_ms', 'hold_ms', 'acw_ms', 'handle_ms', 'transferred'])

/** The columns of etl.agent_sessions that are derived, in the table's order. */
export const agentSessionColumns: readonly DerivedColumn[] = [
  { name: 'conversation_id', type: 'text' },
  { name: 'conversation_start', type: 'timestamptz' },
  { name: '_session_index', type: 'integer' },
  { name: 'user_id', type: 'text' },
  { name: 'queue_id', type: 'text' },
  { name: 'media_type', type: 'text' },
  { name: 'direction', type: 'text' },
  { name: 'alerted_at', type: 'timestamptz' },
  { name: 'answered_at', type: 'timestamptz' },
  { name: 'ended_at', type: 'timestamptz' },
  { name: 'is_answered', type: 'boolean' },
  { name: 'wrap_up_code_id', type: 'text' },
  { name: 'wrap_up_note_index', type: 'integer' },
  { name: 'disconnect_type', type: 'text' },
  { name: 'campaign_id', type: 'text' },
  ...sessionTotals.columns,
]

const SLOT = {
  mediaType: columnIndex('sessions', 'media_type'),
  direction: columnIndex('sessions', 'direction'),
  campaign: columnIndex('sessions', 'outbound_campaign_id'),
  segmentIndex: columnIndex('segments', '_index'),
  segmentType: columnIndex('segments', 'segment_type'),
  segmentStart: columnIndex('segments', 'segment_start'),
  wrapUpCode: columnIndex('segments', 'wrap_up_code'),
  wrapUpNote: columnIndex('segments', 'wrap_up_note'),
  disconnectType: columnIndex('segments', 'disconnect_type'),
  metricName: columnIndex('session_metrics', 'name'),
  emitDate: columnIndex('session_metrics', 'emit_date'),
}

/** The rows of a conversation's agent sessions, aligned with agentSessionColumns, in the order of the sessions. */
export function agentSessionsOf({ row, sessions }: Conversation): Row[] {
  return sessions.filter(isAgentSession).map((session): Row => {
    const only = [session]
    const alert = firstSegment(only, isOfType('alert'))
    const wrapUp = lastSegment(only, (segment) => segment[SLOT.wrapUpCode] !== null)
    const note = lastSegment(only, (segment) => segment[SLOT.wrapUpNote] !== null)
    // after-call work follows the segment that tells how the contact ended
    const disconnect = lastSegment(only, (segment) => segment[SLOT.disconnectType] !== null)
    return [
      row[0]!,
      row[1]!,
      session.index,
      session.user,
      queueOf(session),
      session.row[SLOT.mediaType]!,
      session.row[SLOT.direction]!,
      alert?.[SLOT.segmentStart] ?? null,
      answeredAt(session),
      endOf(only),
      isConnected(session),
      wrapUp?.[SLOT.wrapUpCode] ?? null,
      note?.[SLOT.segmentIndex] ?? null,
      disconnect?.[SLOT.disconnectType] ?? null,
      session.row[SLOT.campaign]!,
      ...sessionTotals.of(only),
    ]
  })
}

const TALKS = new Set(['tTalk', 'tTalkComplete'])

/** Whether the agent was connected. tAnswered does not tell it: only the first agent of a queue entry has it. */
export function isConnected({ segments, metrics }: Session): boolean {
  return segments.some(isOfType('interact')) || metrics.some((metric) => TALKS.has(metric[SLOT.metricName] as string))
}

function isOfType(type: string): (segment: Row) => boolean {
  return (segment) => segment[SLOT.segmentType] === type
}

/** When the agent was connected: the start of the first interact segment; where there is none, when tAnswered was emitted. */
function answeredAt(session: Session): string | null {
  const connected = firstSegment([session], isOfType('interact'))
  if (connected) return connected[SLOT.segmentStart] as string | null
  const answers = session.metrics.filter((metric) => metric[SLOT.metricName] === 'tAnswered')
  return answers.map((metric) => metric[SLOT.emitDate] as string | null).toSorted(compareTimes)[0] ?? null
}

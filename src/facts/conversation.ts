/** A conversation with all that facts are derived from, found together. Pure. */
import { byConversation } from '../intervals/by-conversation.ts'
import { columnIndex, type Row, type RowSet, type Value } from '../model/columns.ts'
import { compareTimes } from '../model/timestamps.ts'

/** The tables that facts are derived from. */
export type FactSources = Pick<
  RowSet,
  'conversations' | 'participants' | 'sessions' | 'segments' | 'session_metrics' | 'evaluations' | 'surveys'
>

export interface Session {
  readonly row: Row
  /** `_index` of its row. */
  readonly index: number
  /** Of its participant. */
  readonly purpose: Value
  readonly user: string | null
  readonly segments: Row[]
  /** Its metrics that count: those that have a value. */
  readonly metrics: Row[]
}

/** Whether a session is one of an agent: of a participant of purpose agent or user. */
export function isAgentSession({ purpose }: Session): boolean {
  return purpose === 'agent' || purpose === 'user'
}

export interface Conversation {
  readonly row: Row
  /** In the order of their `_index`. */
  readonly sessions: readonly Session[]
  /** Whether one of its participants, with a session or without, is of purpose customer. */
  readonly hasCustomer: boolean
  readonly evaluations: readonly Row[]
  readonly surveys: readonly Row[]
}

/** A conversation while its rows are being found, which come in any order. */
interface Gathering {
  readonly row: Row
  /** Participants and sessions by `_index`. */
  readonly participants: Row[]
  readonly sessions: Row[]
  readonly segments: Row[][]
  readonly metrics: Row[][]
  readonly evaluations: Row[]
  readonly surveys: Row[]
}

const SLOT = {
  participant: columnIndex('participants', '_index'),
  purpose: columnIndex('participants', 'purpose'),
  user: columnIndex('participants', 'user_id'),
  session: columnIndex('sessions', '_index'),
  sessionParticipant: columnIndex('sessions', '_participant_index'),
  segmentSession: columnIndex('segments', '_session_index'),
  segmentIndex: columnIndex('segments', '_index'),
  segmentStart: columnIndex('segments', 'segment_start'),
  segmentEnd: columnIndex('segments', 'segment_end'),
  metricSession: columnIndex('session_metrics', '_session_index'),
  metricValue: columnIndex('session_metrics', 'value'),
}

/** Puts the rows of any number of conversations, in any order, together. The rows are shared, not copied. */
export function gather(rows: FactSources): Conversation[] {
  const { all, find } = byConversation<Gathering>(rows.conversations, (row) => ({
    row,
    participants: [],
    sessions: [],
    segments: [],
    metrics: [],
    evaluations: [],
    surveys: [],
  }))
  for (const row of rows.participants) place(find(row)?.participants, row[SLOT.participant] as number, row)
  for (const row of rows.sessions) place(find(row)?.sessions, row[SLOT.session] as number, row)
  for (const row of rows.segments) append(find(row)?.segments, row[SLOT.segmentSession] as number, row)
  for (const row of rows.session_metrics)
    if (row[SLOT.metricValue] !== null) append(find(row)?.metrics, row[SLOT.metricSession] as number, row)
  for (const row of rows.evaluations) find(row)?.evaluations.push(row)
  for (const row of rows.surveys) find(row)?.surveys.push(row)
  return all.map(finish)
}

function place(rows: Row[] | undefined, index: number, row: Row): void {
  if (rows) rows[index] = row
}

function append(lists: Row[][] | undefined, index: number, row: Row): void {
  if (lists) (lists[index] ??= []).push(row)
}

function finish({ row, participants, sessions, segments, metrics, evaluations, surveys }: Gathering): Conversation {
  const finished: Session[] = []
  // rows of a session can be missing in tables that somebody else has changed
  sessions.forEach((session, index) => {
    const participant = participants[session[SLOT.sessionParticipant] as number]
    finished.push({
      row: session,
      index,
      purpose: participant?.[SLOT.purpose] ?? null,
      user: (participant?.[SLOT.user] ?? null) as string | null,
      segments: segments[index] ?? [],
      metrics: metrics[index] ?? [],
    })
  })
  const hasCustomer = participants.some((participant) => participant[SLOT.purpose] === 'customer')
  return { row, sessions: finished, hasCustomer, evaluations, surveys }
}

/**
 * The order in which segments began; of those that began at once the one with the lower `_index` is first. A segment without a readable
 * start began before all others.
 */
function compareSegments(a: Row, b: Row): number {
  return (
    compareTimes(a[SLOT.segmentStart] as string | null, b[SLOT.segmentStart] as string | null) ||
    (a[SLOT.segmentIndex] as number) - (b[SLOT.segmentIndex] as number)
  )
}

const anySegment = (): boolean => true

/** The first of the segments of sessions that are chosen. */
export function firstSegment(
  sessions: readonly Session[],
  isChosen: (segment: Row) => boolean = anySegment,
): Row | null {
  let first: Row | null = null
  for (const { segments } of sessions)
    for (const segment of segments)
      if (isChosen(segment) && (first === null || compareSegments(segment, first) < 0)) first = segment
  return first
}

/** The last of the segments of sessions that are chosen. */
export function lastSegment(
  sessions: readonly Session[],
  isChosen: (segment: Row) => boolean = anySegment,
): Row | null {
  let last: Row | null = null
  for (const { segments } of sessions)
    for (const segment of segments)
      if (isChosen(segment) && (last === null || compareSegments(segment, last) > 0)) last = segment
  return last
}

/** When a session began: the start of its first segment that has a readable one; null: none has. */
export function startOf(session: Session): string | null {
  const first = firstSegment([session], (segment) => segment[SLOT.segmentStart] !== null)
  return (first?.[SLOT.segmentStart] ?? null) as string | null
}

/** The session that began first, of those that began at once the one with the lower `_index`; one that has no start before all others. */
export function firstSession(sessions: readonly Session[]): Session | null {
  let first: Session | null = null
  let start: string | null = null
  for (const session of sessions) {
    const began = startOf(session)
    if (first !== null && compareTimes(began, start) >= 0) continue
    first = session
    start = began
  }
  return first
}

/** The latest end of the segments of sessions; null while one of them has none, and where there are no segments. */
export function endOf(sessions: readonly Session[]): string | null {
  let latest: string | null = null
  for (const { segments } of sessions) {
    for (const segment of segments) {
      const end = segment[SLOT.segmentEnd] as string | null
      if (end === null) return null
      if (compareTimes(end, latest) > 0) latest = end
    }
  }
  return latest
}

/** Whether a segment of the session has no end. */
export function isOpen({ segments }: Session): boolean {
  return segments.some((segment) => segment[SLOT.segmentEnd] === null)
}

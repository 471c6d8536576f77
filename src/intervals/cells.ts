/** What a conversation adds to each interval: its cells, derived from its rows. Pure. */
import { columnIndex, type Row, type RowSet, type Value } from '../model/columns.ts'
import { byConversation } from './by-conversation.ts'
import type { DerivedColumn } from './derived-column.ts'
import { measures } from './measures.ts'
import { queueAt, queueTimeline, type QueueSegment } from './queue-at.ts'
import { addValue, slotsByMetric, storable } from './sums.ts'

/** The tables that cells are derived from. */
export type CellSources = Pick<RowSet, 'conversations' | 'participants' | 'sessions' | 'segments' | 'session_metrics'>

const keyColumns = [
  { name: 'conversation_id', type: 'text' },
  { name: 'conversation_start', type: 'timestamptz' },
  { name: '_index', type: 'integer' },
  { name: 'interval_start', type: 'timestamptz' },
  { name: 'queue_id', type: 'text' },
  { name: 'user_id', type: 'text' },
  { name: 'media_type', type: 'text' },
  { name: 'direction', type: 'text' },
  { name: 'originating_direction', type: 'text' },
] as const satisfies readonly DerivedColumn[]

/** The columns of etl.interval_cells in the table's order. */
export const cellColumns = [
  ...keyColumns,
  ...measures.map(({ column }) => ({ name: column, type: 'bigint' as const })),
] satisfies readonly DerivedColumn[]

/** Their names: what a row of cellsOf is aligned with. */
export const CELL_COLUMNS: readonly string[] = cellColumns.map(({ name }) => name)

const INDEX_SLOT = CELL_COLUMNS.indexOf('_index')
/** The first of the columns that tell the cells of a conversation apart. */
const INTERVAL_SLOT = CELL_COLUMNS.indexOf('interval_start')

const metricSlots = slotsByMetric(measures, keyColumns.length)

const SLOT = {
  conversationDirection: columnIndex('conversations', 'originating_direction'),
  participant: columnIndex('participants', '_index'),
  user: columnIndex('participants', 'user_id'),
  session: columnIndex('sessions', '_index'),
  sessionParticipant: columnIndex('sessions', '_participant_index'),
  mediaType: columnIndex('sessions', 'media_type'),
  direction: columnIndex('sessions', 'direction'),
  segmentIndex: columnIndex('segments', '_index'),
  segmentSession: columnIndex('segments', '_session_index'),
  segmentStart: columnIndex('segments', 'segment_start'),
  queue: columnIndex('segments', 'queue_id'),
  metricSession: columnIndex('session_metrics', '_session_index'),
  emitDate: columnIndex('session_metrics', 'emit_date'),
  metricName: columnIndex('session_metrics', 'name'),
  value: columnIndex('session_metrics', 'value'),
}

/** A cell while it is being summed; sums are exact, so they can exceed int64. */
type Cell = Value[]

/** The sessions of one user, media type and direction share their cells. */
interface Group {
  readonly user: Value
  readonly mediaType: Value
  readonly direction: Value
  /** By interval, then by queue. */
  readonly cells: Map<string, Map<string | null, Cell>>
}

interface Session {
  readonly group: Group
  /** Its segments that have a queue. */
  readonly segments: QueueSegment[]
  /** The same once a metric has asked for them. */
  timeline: readonly QueueSegment[] | null
  /** The emit date of the last metric that counted, and its cell: the metrics that close a session have the same one. */
  lastEmitDate: string | null
  lastCell: Cell | null
}

interface Conversation {
  readonly id: Value
  readonly start: Value
  readonly originatingDirection: Value
  /** User of each participant, and the sessions, by _index. */
  readonly users: Value[]
  readonly sessions: Session[]
  readonly groups: Group[]
}

/**
 * The cells of conversations, from their rows as transform makes them and as readBack reads them: rows of any number of conversations,
 * in any order. Returns rows aligned with CELL_COLUMNS. A conversation's cells have an `_index` from 0, and the same rows always give the
 * same cells in the same order.
 *
 * A metric counts wholly in the quarter hour (UTC) of its emit_date; without a readable one, or without a value, in none. Its media
 * type and direction are those of its session, its user that of the session's participant, its queue as in queueAt. Columns are null where
 * they would be 0, and a cell that would be 0 throughout is left out. A `…_max` is null only where there was no event. What exceeds int64
 * is stored as its nearest limit, since no number that Genesys sends may make a load fail.
 */
export function cellsOf(rows: CellSources): Row[] {
  const { all, find } = byConversation(rows.conversations, newConversation)
  for (const row of rows.participants) {
    const conversation = find(row)
    if (conversation) conversation.users[row[SLOT.participant] as number] = row[SLOT.user]!
  }
  for (const row of rows.sessions) addSession(find(row), row)
  for (const row of rows.segments) addSegment(find(row), row)
  for (const row of rows.session_metrics) addMetric(find(row), row)
  return all.flatMap(finish)
}

function newConversation(row: Row): Conversation {
  const originatingDirection = row[SLOT.conversationDirection]!
  return { id: row[0]!, start: row[1]!, originatingDirection, users: [], sessions: [], groups: [] }
}

function addSession(conversation: Conversation | undefined, row: Row): void {
  if (conversation === undefined) return
  conversation.sessions[row[SLOT.session] as number] = {
    group: groupOf(conversation, row),
    segments: [],
    timeline: null,
    lastEmitDate: null,
    lastCell: null,
  }
}

function groupOf(conversation: Conversation, row: Row): Group {
  const user = conversation.users[row[SLOT.sessionParticipant] as number] ?? null
  const mediaType = row[SLOT.mediaType]!
  const direction = row[SLOT.direction]!
  for (const group of conversation.groups)
    if (group.mediaType === mediaType && group.direction === direction && group.user === user) return group
  const group: Group = { user, mediaType, direction, cells: new Map() }
  conversation.groups.push(group)
  return group
}

function addSegment(conversation: Conversation | undefined, row: Row): void {
  const queue = row[SLOT.queue] as string | null
  if (queue === null) return
  const start = row[SLOT.segmentStart] as string | null
  const index = row[SLOT.segmentIndex] as number
  conversation?.sessions[row[SLOT.segmentSession] as number]?.segments.push({ queue, start, index })
}

function addMetric(conversation: Conversation | undefined, row: Row): void {
  const value = row[SLOT.value] as number | bigint | null
  const emitDate = row[SLOT.emitDate] as string | null
  const session = conversation?.sessions[row[SLOT.metricSession] as number]
  const slots = metricSlots.get(row[SLOT.metricName] as string)
  // `infinity` and years before Christ, which only SQL can have written, are not in canonical spelling
  if (value === null || emitDate === null || !emitDate.endsWith('Z') || !session || !slots) return
  const cell = session.lastEmitDate === emitDate ? session.lastCell! : cellAt(session, emitDate)
  addValue(cell, slots, value)
}

function cellAt(session: Session, emitDate: string): Cell {
  const timeline = (session.timeline ??= queueTimeline(session.segments))
  session.lastEmitDate = emitDate
  session.lastCell = cellOf(session.group, intervalOf(emitDate), queueAt(timeline, emitDate))
  return session.lastCell
}

/** The start of the quarter hour that contains an instant in canonical spelling. */
function intervalOf(instant: string): string {
  const minute = instant.slice(14, 16)
  const quarter = minute < '15' ? '00' : minute < '30' ? '15' : minute < '45' ? '30' : '45'
  return `${instant.slice(0, 14)}${quarter}:00.000Z`
}

function cellOf(group: Group, interval: string, queue: string | null): Cell {
  let byQueue = group.cells.get(interval)
  if (byQueue === undefined) group.cells.set(interval, (byQueue = new Map<string | null, Cell>()))
  let cell = byQueue.get(queue)
  if (cell === undefined) byQueue.set(queue, (cell = emptyCell.slice()))
  return cell
}

const emptyCell: Cell = CELL_COLUMNS.map(() => null)

/** The finished cells of a conversation, in the order of their keys. */
function finish({ id, start, originatingDirection, groups }: Conversation): Row[] {
  const finished: Cell[] = []
  for (const { user, mediaType, direction, cells } of groups) {
    for (const [interval, byQueue] of cells) {
      for (const [queue, cell] of byQueue) {
        if (!finishMeasures(cell)) continue
        const keys = [id, start, null, interval, queue, user, mediaType, direction, originatingDirection]
        for (let slot = 0; slot < keys.length; slot++) cell[slot] = keys[slot]!
        finished.push(cell)
      }
    }
  }
  finished.sort(compareKeys)
  finished.forEach((cell, index) => (cell[INDEX_SLOT] = index))
  return finished
}

/** Brings the measures of a cell into the form in which they are stored. Returns whether there is any. */
function finishMeasures(cell: Cell): boolean {
  let isEmpty = true
  for (let slot = keyColumns.length; slot < cell.length; slot++) {
    const value = cell[slot] as number | bigint | null
    if (value === null) continue
    const stored = storable(value)
    cell[slot] = stored === 0 && !maxSlots.has(slot) ? null : stored
    if (cell[slot] !== null) isEmpty = false
  }
  return !isEmpty
}

const maxSlots = new Set([...metricSlots.values()].map(({ max }) => max))

function compareKeys(a: Cell, b: Cell): number {
  for (let slot = INTERVAL_SLOT; slot < keyColumns.length; slot++) {
    const [x, y] = [a[slot] as string | null, b[slot] as string | null]
    if (x === y) continue
    if (x === null || y === null) return x === null ? -1 : 1
    return x < y ? -1 : 1
  }
  return 0
}

/** Every view of facts with the rows that it must have. */
import {
  attributeRows,
  evaluationRows,
  flowOutcomeRows,
  flowRows,
  metricEventRows,
  surveyRows,
  wrapUpRows,
} from './events.ts'
import { agentSessionRows, conversationRow, queueEntryRows, type Row } from './facts.ts'
import type { Names } from './names.ts'
import type { Conversation } from './read-json.ts'
import { timelineRows } from './timeline.ts'

/** The attributes of the participants of a conversation, in their order. */
export type AttributesOf = (c: Conversation) => readonly (Readonly<Record<string, string>> | undefined)[]

interface View {
  /** Beside conversation_id, what makes a row the only one. */
  readonly key: readonly string[]
  /** Columns beside conversation_id, conversation_start and updated_at that no row of the oracle has. */
  readonly unchecked?: readonly string[]
  readonly rows: (c: Conversation, names: Names, attributesOf: AttributesOf) => readonly Row[]
}

export const views: Readonly<Record<string, View>> = {
  // how addresses are normalized, and which one counts, has tests of its own
  conversations: {
    key: [],
    unchecked: ['customer_address', 'loaded_at'],
    rows: (c, names) => [conversationRow(c, names)],
  },
  queue_entries: { key: ['_session_index'], rows: queueEntryRows },
  long_waits: {
    key: ['_session_index'],
    rows: (c, names) => queueEntryRows(c, names).filter((row) => Number(row['wait_seconds']) > 300),
  },
  agent_sessions: { key: ['_session_index'], rows: agentSessionRows },
  // the same metric can come more than once: all columns are the key
  metric_events: { key: ['_session_index', 'name', 'emit_date', 'value'], rows: metricEventRows },
  wrap_ups: { key: ['_index'], rows: wrapUpRows },
  flows: { key: ['_index'], rows: flowRows },
  flow_outcomes: { key: ['_index'], rows: flowOutcomeRows },
  evaluations: { key: ['_index'], rows: evaluationRows },
  surveys: { key: ['_index'], rows: surveyRows },
  participant_attributes: {
    key: ['_participant_index', 'key'],
    rows: (c, names, attributesOf) => attributeRows(c, names, attributesOf(c)),
  },
  conversation_timeline: { key: ['position'], rows: timelineRows },
}

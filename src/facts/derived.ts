/** What is derived from conversations and stored beside them: the one list of tables, their columns, and their rows. Pure. */
import { cellColumns, cellsOf, type CellSources } from '../intervals/cells.ts'
import type { DerivedColumn } from '../intervals/derived-column.ts'
import type { Row } from '../model/columns.ts'
import { agentSessionColumns, agentSessionsOf } from './agent-sessions.ts'
import { conversationFact, conversationFactColumns } from './conversation-facts.ts'
import { gather, type FactSources } from './conversation.ts'
import { queueEntriesOf, queueEntryColumns } from './queue-entries.ts'

/**
 * Raised with every change after which the same record has other derived rows, and when a column that they come from is added to the model:
 * what is stored is then derived again. The text of the index of stale conversations has it too: see reporting/stale.ts and
 * migrations/views/060-freshness.sql.
 */
export const DERIVED_VERSION = 2

/** The tables that rows are derived from. */
export type DerivedSources = CellSources & FactSources

/** Tables of schema etl whose rows are derived, with their derived columns in the table's order. The first one is never null in a row. */
export const derivedColumns = {
  interval_cells: cellColumns,
  conversation_facts: conversationFactColumns,
  queue_entries: queueEntryColumns,
  agent_sessions: agentSessionColumns,
} as const satisfies Readonly<Record<string, readonly DerivedColumn[]>>

export type DerivedTable = keyof typeof derivedColumns

export const derivedTables = Object.keys(derivedColumns) as readonly DerivedTable[]

/** Rows by table, aligned with derivedColumns. */
export type DerivedRows = Readonly<Record<DerivedTable, Row[]>>

/** What follows from the rows of any number of conversations, in any order. The same rows always give the same. */
export function derive(rows: DerivedSources): DerivedRows {
  const conversations = gather(rows)
  return {
    interval_cells: cellsOf(rows),
    conversation_facts: conversations.map(conversationFact),
    queue_entries: conversations.flatMap(queueEntriesOf),
    agent_sessions: conversations.flatMap(agentSessionsOf),
  }
}

import type { Column } from '../model/columns.ts'

/** One column of a table of derived rows. */
export interface DerivedColumn {
  readonly name: string
  readonly type: Exclude<Column['type'], 'jsonb'>
}

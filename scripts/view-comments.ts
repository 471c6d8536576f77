/** The comments of views and functions in their files. */
import { REPEATABLE_FOLDERS } from '../src/postgres/migration-files.ts'
import { readRepeatables } from '../src/postgres/views.ts'

export interface CommentedView {
  /** With its schema. */
  readonly name: string
  readonly description: string
  readonly columns: readonly { readonly name: string; readonly description: string }[]
}

/** The text of all views and functions. */
export const repeatables = (await readRepeatables(REPEATABLE_FOLDERS)).map(({ text }) => text).join('\n')

/** The views of schema reporting, in the order of their files. */
export function commentedViews(): CommentedView[] {
  const views = [...repeatables.matchAll(/^comment on view (reporting\.\w+) is\s+'((?:[^']|'')*)';/gm)]
  return views.map(([, name = '', description = '']) => ({
    name,
    description: unquoted(description),
    columns: [
      ...repeatables.matchAll(new RegExp(String.raw`^comment on column ${name}\.(\w+) is\s+'((?:[^']|'')*)';`, 'gm')),
    ].map(([, column = '', text = '']) => ({ name: column, description: unquoted(text) })),
  }))
}

/** The text of a literal of SQL. */
export function unquoted(literal: string): string {
  return literal.replaceAll("''", "'")
}

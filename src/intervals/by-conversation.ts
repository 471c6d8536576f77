import type { Row, Value } from '../model/columns.ts'

/** One thing for each conversation, in the order of the conversations' rows. */
export interface ByConversation<Thing> {
  readonly all: readonly Thing[]
  /** The thing of the conversation that a row of any table belongs to; undefined: its conversation is not among them. */
  readonly find: (row: Row) => Thing | undefined
}

/** Makes a thing of each row of genesys.conversations, and finds it by the rows of the conversation in other tables. Pure. */
export function byConversation<Thing>(conversations: readonly Row[], make: (row: Row) => Thing): ByConversation<Thing> {
  const things = new Map<string, Thing>()
  for (const row of conversations) things.set(keyOf(row), make(row))
  let id: Value | undefined
  let start: Value | undefined
  let last: Thing | undefined
  // rows of a conversation usually follow each other, which spares the look-up
  const find = (row: Row): Thing | undefined => {
    if (row[0] !== id || row[1] !== start) {
      id = row[0]
      start = row[1]
      last = things.get(keyOf(row))
    }
    return last
  }
  return { all: [...things.values()], find }
}

// no text of a row contains U+0000
function keyOf(row: Row): string {
  return `${row[1] as string}\0${row[0] as string}`
}

/** By which address a customer can be recognized again. Pure. */
import { normalizeAddress } from '../model/address.ts'
import { columnIndex } from '../model/columns.ts'
import type { Session } from './conversation.ts'

/** The columns of genesys.sessions that hold addresses. */
export const ADDRESS_COLUMNS = [
  'ani',
  'address_from',
  'dnis',
  'address_to',
  'address_self',
  'callback_numbers',
] as const

const slot = (name: (typeof ADDRESS_COLUMNS)[number]): number => columnIndex('sessions', name)

const DIRECTION = columnIndex('sessions', 'direction')
/** Whoever begins is named as ani and from, whoever is reached as dnis and to. */
const OF_THE_CALLER = [slot('ani'), slot('address_from')]
const OF_THE_CALLED = [slot('dnis'), slot('address_to')]
const ADDRESS_SELF = slot('address_self')
const CALLBACK_NUMBERS = slot('callback_numbers')

/** What stands for an address that is not shown, with any host behind it. */
const WITHHELD = /^(?:anonymous|private|restricted|unavailable|unknown|withheld|none)(?:@|$)/

/**
 * The first usable address of a customer's sessions, given in their order, in the spelling of normalizeAddress; null: there is none. Of
 * each session: of an outbound one dnis, then address_to; of any other ani, then address_from; then address_self, then callback_numbers.
 * Blanks and names for withheld numbers are no address.
 */
export function customerAddress(sessions: readonly Session[]): string | null {
  for (const { row } of sessions) {
    const ofCustomer = row[DIRECTION] === 'outbound' ? OF_THE_CALLED : OF_THE_CALLER
    const numbers = (row[CALLBACK_NUMBERS] ?? []) as readonly (string | null)[]
    for (const address of [...ofCustomer.map((at) => row[at]), row[ADDRESS_SELF], ...numbers]) {
      if (typeof address !== 'string') continue
      const normalized = normalizeAddress(address)
      if (normalized !== '' && !WITHHELD.test(normalized)) return normalized
    }
  }
  return null
}

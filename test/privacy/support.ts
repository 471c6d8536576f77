import { createLogger } from '../../src/log.ts'
import type { JsonObject } from '../../src/model/json.ts'
import type { Warehouse } from '../../src/postgres/connect.ts'
import { erase, type Erasure, type EraseRequest } from '../../src/privacy/erase.ts'
import { findPerson, type PersonKeys } from '../../src/privacy/find-person.ts'
import { call } from '../support/calls.ts'

const never = new AbortController().signal
const none: PersonKeys = { conversationIds: [], externalContactIds: [], addresses: [] }

/** Finds and erases a person. */
export async function erasePerson(
  warehouse: Warehouse,
  keys: Partial<PersonKeys>,
  options: Partial<EraseRequest> = {},
  signal: AbortSignal = never,
): Promise<Erasure> {
  const traces = await findPerson(warehouse, { ...none, ...keys }, signal)
  const request = { traces, kind: 'address', keys: 1, keepStatistics: false, osUser: 'ada', ...options } as const
  return await erase({ warehouse, logger: createLogger('silent') }, request, signal)
}

/** The conversations that a search finds, in their order. */
export async function found(warehouse: Warehouse, keys: Partial<PersonKeys>): Promise<string[]> {
  return [...(await findPerson(warehouse, { ...none, ...keys }, never)).conversationIds].sort()
}

/** A call of a customer with a number, a name and a contact. */
export function callOf(
  id: string,
  { ani, start = '2026-03-05T10:00:00.000Z' }: { readonly ani: string; readonly start?: string },
): JsonObject {
  const raw = call(id, { start })
  const customer = {
    participantId: `${id}-customer`,
    purpose: 'customer',
    participantName: `Name of ${ani}`,
    externalContactId: `contact ${ani}`,
    sessions: [
      {
        sessionId: `${id}-s9`,
        mediaType: 'voice',
        ani,
        segments: [{ segmentStart: start, segmentType: 'interact', wrapUpNote: `note about ${ani}` }],
      },
    ],
  }
  return { ...raw, participants: [customer, ...(raw['participants'] as JsonObject[])] }
}

/** A few calls around the end of a month, where a whole organization would take long. */
import type { JsonObject } from '../../src/model/json.ts'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { recomputeDirtyHours } from '../../src/reporting/rollups.ts'
import { load } from '../loader/conversations.ts'
import { call } from '../support/calls.ts'
import { floor, monthsSince } from './support.ts'

export const june = { start: new Date('2025-06-01T00:00:00Z'), end: floor }

/** Calls of June, some of which go on into July, and of July. */
export const calls = [
  ...Array.from({ length: 30 }, (_, n) => call(`june-${n}`, { start: `2025-06-${10 + (n % 20)}T10:00:00.000Z` })),
  ...Array.from({ length: 10 }, (_, n) => thread(`thread-${n}`)),
  ...Array.from({ length: 30 }, (_, n) => call(`july-${n}`, { start: `2025-07-0${1 + (n % 9)}T10:00:00.000Z` })),
]

/** An e-mail that begins at the end of June and is handled for three days. */
export function thread(id: string, handleMs = 60_000): JsonObject {
  return call(id, { start: '2025-06-30T23:50:00.000Z', minutes: 3 * 24 * 60, mediaType: 'email', handleMs })
}

/** A process that keeps what starts at the floor or later, and a database that has the calls. */
export async function loadedCalls(url: string): Promise<Warehouse> {
  const plain = connect(url)
  await load(plain, calls, 1)
  await recomputeDirtyHours(plain)
  const months = await monthsSince(plain, floor)
  await plain.close()
  return connect(url, { retentionMonths: months })
}

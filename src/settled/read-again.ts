/** Reads conversations again by their ids and loads them, as a part of a sync. */
import type { GenesysClient } from '../genesys/client.ts'
import { IDS_PER_REQUEST } from '../genesys/details-by-id.ts'
import { badAnswer, type GenesysError } from '../genesys/errors.ts'
import type { PartCounts, RunContext } from '../history/context.ts'
import { loadByIds } from '../history/load-by-ids.ts'
import { emptyPartCounts } from '../history/sync-parts.ts'
import { addLoadCounts, emptyLoadCounts } from '../loader/load-counts.ts'
import { markMissing } from '../loader/missing.ts'
import { referencedIds } from '../loader/referenced-ids.ts'
import type { JsonValue } from '../model/json.ts'
import { markReread } from './unsettled-store.ts'

/**
 * Reads these ids and loads what Genesys has of them. What it does not have is asked for once more, and then marked as missing. Each batch
 * is recorded as read after it has committed, so that a run that is killed goes on where it was.
 * @param label for the progress
 * @param belongs which of the records to load
 * @throws GenesysError, a database error, or the signal's reason
 */
export async function readAgain(
  context: RunContext,
  ids: readonly string[],
  { label, belongs = () => true }: { readonly label: string; readonly belongs?: (record: JsonValue) => boolean },
): Promise<PartCounts> {
  if (ids.length === 0) return emptyPartCounts()
  const { progress, warehouse, clock } = context
  const counter = countRequests(context)
  const counted = { ...context, genesys: counter.genesys }
  progress.plan(label, Math.ceil(ids.length / IDS_PER_REQUEST))
  try {
    const options = {
      belongs,
      onCommitted: (read: readonly string[], readAt: Date) => markReread(warehouse.db, read, readAt),
    }
    const first = await loadByIds(counted, ids, options)
    if (first.unknown.length === ids.length && ids.length > IDS_PER_REQUEST) throw noneKnown(ids.length)
    const asOf = clock.now()
    const second = await loadByIds(counted, first.unknown, options)
    const missing = await markMissing(warehouse.db, second.unknown, asOf)
    context.onLoaded?.({ ...emptyLoadCounts(), missing }, referencedIds([]))
    return { ...addLoadCounts(first.counts, second.counts), missing, requests: counter.sent() }
  } finally {
    progress.finish()
  }
}

/** The client of a run, which counts its requests and shows them. */
function countRequests({ genesys, progress }: RunContext): { genesys: GenesysClient; sent: () => number } {
  let sent = 0
  return {
    genesys: {
      async request(request) {
        sent++
        try {
          return await genesys.request(request)
        } finally {
          progress.advance(1)
        }
      },
      close: () => genesys.close(),
    },
    sent: () => sent,
  }
}

function noneKnown(asked: number): GenesysError {
  const text = `none of ${asked} conversations that were loaded before is known any more; perhaps the client has lost its divisions`
  return badAnswer({ method: 'GET', path: '/api/v2/analytics/conversations/details' }, text)
}

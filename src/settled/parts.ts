/** What a sync reads beside its windows until conversations are settled, in order. */
import type { RunContext, SyncPart } from '../history/context.ts'
import { openSet, settleRereads } from './by-id-parts.ts'
import { eventRereads } from './event-rereads.ts'
import { threads } from './threads.ts'

/** @param areJobsPermitted whether the OAuth client may read by jobs */
export function settledParts(areJobsPermitted: (context: RunContext) => Promise<boolean>): readonly SyncPart[] {
  return [openSet, threads(areJobsPermitted), settleRereads, eventRereads]
}

/** What is open, or was seen open, is read again by its id until it has ended. */
import { belongsToHistory } from '../genesys/details-filter.ts'
import { IDS_PER_REQUEST } from '../genesys/details-by-id.ts'
import type { PartCounts, RunContext, SyncPart } from '../history/context.ts'
import { PART_REQUEST_BUDGET } from '../history/nightly-budget.ts'
import { addParts } from '../history/sync-parts.ts'
import { readRetention } from '../loader/dropped-months.ts'
import { expiredTimes } from '../model/retention.ts'
import { readAgain } from './read-again.ts'
import { selectDueOpen, selectDueSettled, selectSeenByLive, type DueAt } from './unsettled-store.ts'

const MOST_IDS = PART_REQUEST_BUDGET * IDS_PER_REQUEST

/** Every night: conversations that the history holds as open, and those that live saw and the history has not. */
export const openSet: SyncPart = {
  name: 'openSet',
  async run(context) {
    const { warehouse, history } = context
    const due = dueAt(context)
    const held = await readAgain(context, await selectDueOpen(warehouse.db, due), { label: 'open conversations' })
    const expired = expiredTimes(await readRetention(warehouse))
    const seen = await readAgain(context, await selectSeenByLive(warehouse.db, due, expired), {
      label: 'conversations seen by live',
      belongs: (record) => belongsToHistory(record, history.filter),
    })
    return addParts(held, seen)
  },
}

/** Every night: ended conversations that no window has brought since they have settled. */
export const settleRereads: SyncPart = {
  name: 'settleRereads',
  async run(context): Promise<PartCounts> {
    const ids = await selectDueSettled(context.warehouse.db, dueAt(context))
    return await readAgain(context, ids, { label: 'settled conversations' })
  },
}

function dueAt({ clock, run }: RunContext): DueAt {
  return { now: clock.now(), cycleStart: run.cycleStartedAt, limit: MOST_IDS }
}

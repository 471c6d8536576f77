import { sql } from 'kysely'
import { expect, test } from 'vitest'
import * as totals from '../../migrations/20261126T1400Z-live-snapshot-totals.ts'
import { sumCounts } from '../../src/live/queue-counts.ts'
import { LIVE_STATES } from '../../src/live/state.ts'
import { selectWallboard } from '../../src/live/wallboard.ts'
import { startLiveOrg } from '../support/live-org.ts'

const never = new AbortController().signal
const start = Date.now() - 600_000
const at = (seconds: number): string => new Date(start + seconds * 1000).toISOString()

function agent(userId: string, segmentType: string, since: number, queueId: string): Record<string, unknown> {
  const segment = { segmentType, segmentStart: at(since), queueId, conference: false }
  const session = { sessionId: userId, mediaType: 'voice', segments: [segment] }
  return { participantId: userId, purpose: 'agent', userId, sessions: [session] }
}

test('each agent of a conversation is shown with their own state, and since when', async () => {
  await using org = await startLiveOrg()
  const transferred = org.begin('transferred', { start, state: 'ivr' })
  const agents = [agent('u1', 'wrapup', 200, 'q1'), agent('u2', 'interact', 230, 'q2'), agent('u3', 'alert', 300, 'q2')]
  transferred.record = { ...transferred.record, participants: agents }
  const other = org.begin('other', { start, state: 'ivr' })
  other.record = { ...other.record, participants: [agent('u2', 'hold', 100, 'q3')] }
  const job = org.job()
  await job.tick(never)
  const board = await selectWallboard(org.warehouse.db)
  expect(board.agents.map(({ since, ...rest }) => ({ ...rest, since: since?.toISOString() }))).toEqual([
    { userId: 'u2', state: 'hold', since: at(100), queueId: 'q3', mediaType: 'voice', conversations: 2 },
    { userId: 'u1', state: 'acw', since: at(200), queueId: 'q1', mediaType: 'voice', conversations: 1 },
    { userId: 'u3', state: 'alerting', since: at(300), queueId: 'q2', mediaType: 'voice', conversations: 1 },
  ])
  // The column is compared too: an unchanged value is no change, and a changed one is.
  expect(await job.tick(never)).toMatchObject({ writes: { inserted: 0, updated: 0, deleted: 0 } })
  transferred.record = { ...transferred.record, participants: agents.slice(1) }
  expect(await job.tick(never)).toMatchObject({ writes: { inserted: 0, updated: 1, deleted: 0 } })
})

test('agents of rows that are older than the column have the state of the conversation', async () => {
  await using org = await startLiveOrg()
  org.begin('a', { state: 'hold' })
  const job = org.job()
  await job.tick(never)
  await sql`update genesys.live_conversations set agents = null`.execute(org.warehouse.db)
  const { agents, agentsTotal } = await selectWallboard(org.warehouse.db)
  expect(agents).toMatchObject([{ userId: 'u1', state: 'hold', queueId: 'q1', conversations: 1 }])
  expect(agentsTotal).toBe(1)
  expect(await job.tick(never)).toMatchObject({ writes: { updated: 1 } })
})

test('the states of a queue add up to its conversations, and the queues and the rest to all of them', async () => {
  await using org = await startLiveOrg()
  for (const state of ['ivr', 'waiting', 'interacting', 'hold', 'parked'] as const) {
    org.begin(`q1-${state}`, { state })
    org.begin(`q2-${state}`, { state, queueId: 'q2' })
  }
  const dialing = org.begin('dialing', { start, state: 'ivr' })
  dialing.record = { ...dialing.record, participants: [agent('u1', 'dialing', 10, 'q1')] }
  await org.job().tick(never)
  const { queues, outsideQueues } = await selectWallboard(org.warehouse.db)
  expect(queues.map(({ queueId }) => queueId).sort()).toEqual(['q1', 'q2'])
  for (const counts of [...queues, outsideQueues])
    expect(LIVE_STATES.reduce((sum, state) => sum + counts[state], 0)).toBe(counts.conversations)
  expect(queues.find(({ queueId }) => queueId === 'q1')).toMatchObject({
    conversations: 5,
    waiting: 1,
    interacting: 1,
    hold: 1,
    other: 1,
    dialing: 1,
    onQueueUsers: 5,
  })
  expect(outsideQueues).toMatchObject({ conversations: 2, ivr: 2, waiting: 0 })
  expect(sumCounts([...queues, outsideQueues])).toMatchObject({ conversations: 11, waiting: 2, ivr: 2, dialing: 1 })
})

test('the longest wait is that of conversations waiting or alerting, in the wallboard as in live_queues', async () => {
  await using org = await startLiveOrg()
  const alerting = org.begin('alerting', { start })
  const queued = alerting.record['participants'] as object[]
  alerting.record = { ...alerting.record, participants: [...queued, agent('u1', 'alert', 500, 'q1')] }
  org.begin('waiting', { start: start + 60_000 })
  org.begin('interacting', { start: start - 60_000, state: 'interacting' })
  await org.job().tick(never)
  expect(await org.table()).toMatchObject({ alerting: 'alerting', waiting: 'waiting' })
  const { queues } = await selectWallboard(org.warehouse.db)
  const { rows } = await sql<{ since: Date }>`
    select snapshot_at - make_interval(secs => longest_wait_seconds) as since from genesys.live_queues`.execute(
    org.warehouse.db,
  )
  expect(queues.map(({ waitingSince }) => waitingSince?.toISOString())).toEqual([at(0.002)])
  expect(rows.map(({ since }) => since.toISOString())).toEqual([at(0.002)])
  // While it rings only, nobody waits, and the wait goes on.
  org.end('waiting')
  await org.job().tick(never)
  const [queue] = (await selectWallboard(org.warehouse.db)).queues
  expect(queue).toMatchObject({ waiting: 0, alerting: 1 })
  expect(queue?.waitingSince?.toISOString()).toBe(at(0.002))
})

test('the trend is read from the totals of each snapshot, not from the rows of its queues', async () => {
  await using org = await startLiveOrg()
  for (const [id, state] of Object.entries({ a: 'waiting', b: 'interacting', c: 'hold', d: 'ivr' } as const))
    org.begin(id, { state })
  const job = org.job()
  await job.tick(never)
  await sql`delete from genesys.live_queues`.execute(org.warehouse.db)
  const { trend } = await selectWallboard(org.warehouse.db)
  expect(trend).toMatchObject([{ waiting: 1, interacting: 2 }])
  // A failed snapshot, and one that is older than the totals, are no points.
  await sql`update genesys.live_snapshots set waiting = null, interacting = null, hold = null`.execute(org.warehouse.db)
  expect((await selectWallboard(org.warehouse.db)).trend).toEqual([])
})

test('the migration gives the snapshots of the last hours their totals, from their queues', async () => {
  await using org = await startLiveOrg()
  for (const [id, state] of Object.entries({ a: 'waiting', b: 'interacting', c: 'hold' } as const))
    org.begin(id, { state })
  org.begin('d', { queueId: 'q2' })
  const job = org.job()
  await job.tick(never)
  const failed = new Date(Date.now() + 1)
  await sql`insert into genesys.live_snapshots (snapshot_at, source, duration_ms, requests, complete, error)
    values (${failed}, 'analytics', 1, 1, false, 'no')`.execute(org.warehouse.db)
  const { trend } = await selectWallboard(org.warehouse.db)
  expect(trend).toMatchObject([{ waiting: 2, interacting: 2 }])
  await totals.down(org.warehouse.db as never)
  await totals.up(org.warehouse.db as never)
  expect((await selectWallboard(org.warehouse.db)).trend).toEqual(trend)
  const { rows } = await sql`select waiting, hold from genesys.live_snapshots where not complete`.execute(
    org.warehouse.db,
  )
  expect(rows).toEqual([{ waiting: null, hold: null }])
})

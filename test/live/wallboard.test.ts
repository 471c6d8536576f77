import { sql } from 'kysely'
import { expect, test } from 'vitest'
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

test('each agent of a conversation is shown with what they do themself, and since when', async () => {
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
  // What each does is compared as well: it neither makes a row look changed, nor does a change of it pass unseen.
  expect(await job.tick(never)).toMatchObject({ writes: { inserted: 0, updated: 0, deleted: 0 } })
  transferred.record = { ...transferred.record, participants: agents.slice(1) }
  expect(await job.tick(never)).toMatchObject({ writes: { inserted: 0, updated: 1, deleted: 0 } })
})

test('agents of rows that were written before agents were kept have the state of the conversation', async () => {
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

import { expect, test } from 'vitest'
import type { LiveFigures } from '../../src/commands/snapshot.ts'
import { connect } from '../../src/postgres/connect.ts'
import { withJobLock } from '../../src/postgres/lock.ts'
import { json } from '../support/fake-server.ts'
import { startLiveOrg, type Held, type LiveOrg } from '../support/live-org.ts'
import { runCli } from '../support/cli.ts'

const envOf = (org: LiveOrg): Record<string, string> => ({
  GENESYS_API_URL: org.url,
  GENESYS_LOGIN_URL: org.url,
  GENESYS_CLIENT_ID: 'id',
  GENESYS_CLIENT_SECRET: 'secret',
  DATABASE_URL: org.databaseUrl,
})

test('prints what is open by state, queue and medium, for people and as JSON', async () => {
  await using org = await startLiveOrg()
  org.begin('a', { start: Date.now() - 90_000 })
  org.begin('b', { state: 'interacting' })
  org.begin('c', { state: 'interacting', queueId: 'q2' })
  org.begin('d', { state: 'hold', queueId: 'q2' })
  ring(org.begin('e', { state: 'ivr' }), 'q3')
  const text = await runCli(['snapshot'], { env: envOf(org) })
  expect(text).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/interacting +2\n[^]*voice +5\n[^]*q1 +2 +1 +0 +1 +0 +0 +\d+\n/) as string,
  })
  const asJson = await runCli(['snapshot', '--json'], { env: envOf(org) })
  const figures = JSON.parse(asJson.stdout) as LiveFigures
  expect(figures).toMatchObject({
    conversations: 5,
    byMedia: [{ mediaType: 'voice', conversations: 5 }],
    ended: 0,
  })
  expect(figures.byState.toSorted((a, b) => (a.state < b.state ? -1 : 1))).toEqual([
    { state: 'alerting', conversations: 1 },
    { state: 'hold', conversations: 1 },
    { state: 'interacting', conversations: 2 },
    { state: 'waiting', conversations: 1 },
  ])
  const none = { name: null, waiting: 0, alerting: 0, interacting: 0, hold: 0, acw: 0 }
  expect(figures.byQueue.toSorted((a, b) => ((a.queueId ?? '') < (b.queueId ?? '') ? -1 : 1))).toEqual([
    {
      ...none,
      queueId: 'q1',
      conversations: 2,
      waiting: 1,
      interacting: 1,
      longestWaitSeconds: expect.any(Number) as number,
    },
    { ...none, queueId: 'q2', conversations: 2, interacting: 1, hold: 1, longestWaitSeconds: null },
    { ...none, queueId: 'q3', conversations: 1, alerting: 1, longestWaitSeconds: null },
  ])
  // What is counted is what genesys.live_queues counts.
  const counts = await org.warehouse.db
    .selectFrom('genesys.live_queues')
    .select(['queue_id', 'waiting', 'alerting', 'interacting', 'hold', 'acw'])
    .where('snapshot_at', '=', new Date(figures.snapshotAt))
    .orderBy('queue_id')
    .execute()
  expect(counts).toEqual([
    { queue_id: 'q1', waiting: 1, alerting: 0, interacting: 1, hold: 0, acw: 0 },
    { queue_id: 'q2', waiting: 0, alerting: 0, interacting: 1, hold: 1, acw: 0 },
    { queue_id: 'q3', waiting: 0, alerting: 1, interacting: 0, hold: 0, acw: 0 },
  ])
})

/** Lets a conversation ring at an agent. */
function ring(held: Held, queueId: string): void {
  const segment = { segmentType: 'alert', segmentStart: new Date().toISOString(), queueId, conference: false }
  const session = { sessionId: 'ringing', mediaType: 'voice', segments: [segment] }
  const agent = { participantId: 'ringing', purpose: 'agent', userId: 'u2', sessions: [session] }
  held.record = { ...held.record, participants: [agent] }
}

test('exits with 78 where a setting is to be changed, with 75 where another process takes a snapshot', async () => {
  await using org = await startLiveOrg()
  const off = await runCli(['snapshot'], { env: { ...envOf(org), LIVE_SOURCE: 'off' } })
  expect(off).toMatchObject({ code: 78, stderr: expect.stringContaining('LIVE_SOURCE') as string })
  org.interfere = (request, what) =>
    what === '/api/v2/conversations' && (json(request, { message: 'This request requires a user context.' }, 400), true)
  const user = await runCli(['snapshot'], { env: { ...envOf(org), LIVE_SOURCE: 'conversations' } })
  expect(user).toMatchObject({ code: 78, stderr: expect.stringContaining('LIVE_SOURCE=analytics') as string })
  await using other = connect(org.databaseUrl)
  await withJobLock(other, 'live', new AbortController().signal, async () => {
    expect(await runCli(['snapshot'], { env: envOf(org) })).toMatchObject({ code: 75 })
  })
})

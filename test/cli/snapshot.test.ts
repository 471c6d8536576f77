import { expect, test } from 'vitest'
import { connect } from '../../src/warehouse/connect.ts'
import { withJobLock } from '../../src/warehouse/lock.ts'
import { json } from '../support/fake-server.ts'
import { startLiveOrg, type LiveOrg } from '../support/live-org.ts'
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
  const text = await runCli(['snapshot'], { env: envOf(org) })
  expect(text).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/interacting +2\n[^]*voice +3\n[^]*q1 +2 +1 +1 +\d+\n/) as string,
  })
  const asJson = await runCli(['snapshot', '--json'], { env: envOf(org) })
  expect(JSON.parse(asJson.stdout)).toMatchObject({
    conversations: 3,
    byState: [
      { state: 'interacting', conversations: 2 },
      { state: 'waiting', conversations: 1 },
    ],
    byMedia: [{ mediaType: 'voice', conversations: 3 }],
    byQueue: [{ queueId: 'q1', name: null, conversations: 2, waiting: 1, interacting: 1 }, { queueId: 'q2' }],
    ended: 0,
  })
})

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

/** Open conversations that started more than a day ago: how they are found, followed and removed. */
import { expect, test } from 'vitest'
import { json } from '../support/fake-server.ts'
import { startLiveOrg, type LiveOrg } from '../support/live-org.ts'

const never = new AbortController().signal
const hour = 3_600_000
const day = 24 * hour

const daysAgo = (days: number): number => Date.now() - days * day
const history = async ({ warehouse }: LiveOrg): Promise<(string | null)[]> =>
  (
    await warehouse.db
      .selectFrom('genesys.conversations')
      .select('conversation_id')
      .orderBy('conversation_id')
      .execute()
  ).map((row) => row.conversation_id)
/** The number of requests of a kind since they were last cleared. */
function requestsOf(org: LiveOrg, kind: string): number {
  return org.requests.filter((what) => what.startsWith(kind)).length
}

/** Refuses the activity, as without the permission. */
function refuseActivity(org: LiveOrg): void {
  org.interfere = (request, what) =>
    what.startsWith('activity') && (json(request, { message: 'missing permission' }, 403), true)
}

test('open conversations of any age are in the first snapshot, active or not', async () => {
  await using org = await startLiveOrg()
  const ages = [0, 2, 29, 30, 31, 45, 60, 61, 89, 200, 364, 500, 557]
  for (const age of ages) {
    org.begin(`parked-${age}`, { start: daysAgo(age), state: 'parked' })
    org.begin(`waiting-${age}`, { start: daysAgo(age) })
  }
  // Older than the windows reach.
  org.begin('waiting-900', { start: daysAgo(900) })
  await org.job().tick(never)
  const expected = ages.flatMap((age) => [`parked-${age}`, `waiting-${age}`])
  expect(Object.keys(await org.table()).sort()).toEqual([...expected, 'waiting-900'].sort())
})

test('the next snapshot shows what an old conversation is doing: another state, its end, and its reopening', async () => {
  await using org = await startLiveOrg()
  org.begin('two', { start: daysAgo(2) })
  org.begin('forty', { start: daysAgo(40), state: 'parked' })
  org.begin('new')
  const job = org.job()
  await job.tick(never)
  expect(await org.table()).toEqual({ two: 'waiting', forty: 'other', new: 'waiting' })
  org.change('two', 'interacting')
  org.change('forty', 'hold')
  await job.tick(never)
  expect(await org.table()).toEqual({ two: 'interacting', forty: 'hold', new: 'waiting' })
  org.end('two')
  org.end('forty')
  expect(await job.tick(never)).toMatchObject({ ended: 2, loaded: { inserted: 2 } })
  expect(await org.table()).toEqual({ new: 'waiting' })
  expect(await history(org)).toEqual(['forty', 'two'])
  org.begin('forty', { start: daysAgo(40) })
  await job.tick(never)
  expect(await org.table()).toEqual({ forty: 'waiting', new: 'waiting' })
})

test('an old conversation that reopens and ends again before it is read is loaded, although no snapshot has shown it', async () => {
  await using org = await startLiveOrg()
  const job = org.job()
  await job.tick(never)
  org.begin('mail', { start: daysAgo(20) })
  org.interfere = (_request, what) => {
    if (what.startsWith('by-id')) org.end('mail')
  }
  expect(await job.tick(never)).toMatchObject({ ended: 0, loaded: { inserted: 1 } })
  expect(await org.table()).toEqual({})
  expect(await history(org)).toEqual(['mail'])
})

test('inactive old conversations are searched for every quarter of an hour, or every hour beyond 30 days', async () => {
  await using org = await startLiveOrg()
  const job = org.job()
  await job.tick(never)
  expect(requestsOf(org, 'older')).toBe(19)
  org.begin('ten', { start: daysAgo(10), state: 'parked' })
  org.begin('hundred', { start: daysAgo(100), state: 'parked' })
  const after = async (ms: number): Promise<{ table: string[]; windows: number }> => {
    org.aheadMs += ms
    org.requests.length = 0
    await job.tick(never)
    return { table: Object.keys(await org.table()).sort(), windows: requestsOf(org, 'older') }
  }
  expect(await after(60_000)).toEqual({ table: [], windows: 0 })
  expect(await after(14 * 60_000)).toEqual({ table: ['ten'], windows: 1 })
  expect(await after(60_000)).toEqual({ table: ['ten'], windows: 0 })
  expect(await after(44 * 60_000)).toEqual({ table: ['hundred', 'ten'], windows: 19 })
})

test('after a failed snapshot the next one searches for old conversations again', async () => {
  await using org = await startLiveOrg()
  org.begin('old', { start: daysAgo(3), state: 'parked' })
  org.begin('older', { start: daysAgo(300), state: 'parked' })
  org.begin('new')
  const job = org.job()
  org.interfere = (request, what) => what === 'acw 1' && (json(request, { message: 'no' }, 400), true)
  await expect(job.tick(never)).rejects.toMatchObject({ status: 400 })
  org.interfere = null
  await job.tick(never)
  expect(await org.table()).toEqual({ old: 'other', older: 'other', new: 'waiting' })
})

test('with more old conversations than its share allows, active ones are read at once, and each of the others gets its turn', async () => {
  await using org = await startLiveOrg()
  for (let i = 0; i < 240; i++) org.begin(`parked-${i}`, { start: daysAgo(5), state: 'parked' })
  for (let i = 0; i < 20; i++) org.begin(`busy-${i}`, { start: daysAgo(5), state: 'interacting' })
  // A share of 4 requests per minute, of which two, of 50 ids each, for old ones.
  const job = org.job({ requestsPerMinute: 10 })
  const tickAfter = async (minutes: number): Promise<Record<string, string>> => {
    org.aheadMs += minutes * 60_000
    org.requests.length = 0
    expect(await job.tick(never)).not.toBeNull()
    return await org.table()
  }
  expect(Object.keys(await tickAfter(0))).toHaveLength(260)
  for (let i = 0; i < 240; i++) org.end(`parked-${i}`)
  org.change('busy-7', 'hold')
  org.change('busy-8', 'parked')

  // The first tick has spent the budget of some minutes.
  const first = await tickAfter(8)
  expect(org.requests.filter((what) => what.startsWith('by-id'))).toEqual(['by-id 50', 'by-id 50'])
  expect(first['busy-8']).toBe('other')
  // 240 of 260 have ended: of 100 that were read at least 80.
  expect(Object.keys(first).length).toBeLessThanOrEqual(180)
  const second = await tickAfter(2)
  expect(Object.keys(second).length).toBeGreaterThan(20)
  const third = await tickAfter(2)
  expect(Object.keys(third).sort()).toEqual(Array.from({ length: 20 }, (_, i) => `busy-${i}`).sort())
  expect(third).toMatchObject({ 'busy-7': 'hold', 'busy-8': 'other', 'busy-9': 'interacting' })
})

test('without the permission for activity it logs that once, follows known conversations, and finds the rest by windows', async () => {
  await using org = await startLiveOrg()
  org.begin('old', { start: daysAgo(40) })
  refuseActivity(org)
  const job = org.job()
  await job.tick(never)
  org.begin('reopened', { start: daysAgo(3) })
  org.change('old', 'interacting')
  await job.tick(never)
  expect(await org.table()).toEqual({ old: 'interacting' })
  org.aheadMs += 15 * 60_000
  await job.tick(never)
  expect(await org.table()).toEqual({ old: 'interacting', reopened: 'waiting' })
  org.aheadMs += hour
  await job.tick(never)
  const warnings = org.log.filter((line) => line.includes('conversation activity can’t be read'))
  expect(warnings).toHaveLength(1)
  expect(warnings[0]).toContain('analytics:queueObservation:view')
  expect(requestsOf(org, 'activity')).toBe(2)
})

test('an activity that cannot be read fails no snapshot', async () => {
  await using org = await startLiveOrg()
  org.begin('a', { start: daysAgo(3) })
  const job = org.job()
  for (const answer of [
    { message: 'broken', code: 'internal', status: 500 },
    [],
    { results: 7 },
    { results: [7, {}] },
  ]) {
    org.interfere = (request, what) => what.startsWith('activity') && (json(request, answer), true)
    expect(await job.tick(never)).toMatchObject({ conversations: [{ conversationId: 'a' }] })
  }
})

test('windows that Genesys refuses as too old are skipped, with a warning; the newest one must not be refused', async () => {
  await using org = await startLiveOrg()
  org.begin('old', { start: daysAgo(40), state: 'parked' })
  org.begin('ancient', { start: daysAgo(400), state: 'parked' })
  const refuse = (fromDays: number, toDays: number): void => {
    org.interfere = (request, what) => {
      if (what !== 'older 1') return false
      const { interval } = JSON.parse(request.body) as { interval: string }
      const age = (Date.now() - Date.parse(interval.split('/')[0] ?? '')) / day
      return age > fromDays && age <= toDays && (json(request, { message: 'too old' }, 400), true)
    }
  }
  refuse(365, 1000)
  const job = org.job()
  await job.tick(never)
  expect(await org.table()).toEqual({ old: 'other' })
  expect(org.log.filter((line) => line.includes('refuses to list'))).toHaveLength(1)
  refuse(0, 35)
  org.aheadMs += hour
  await expect(job.tick(never)).rejects.toMatchObject({ status: 400 })
})

test('a role that has lost its divisions is detected although each tick reads only some of the old conversations', async () => {
  await using org = await startLiveOrg()
  for (let i = 0; i < 300; i++) org.begin(`c${i}`, { start: daysAgo(3), state: 'parked' })
  const job = org.job({ requestsPerMinute: 10 })
  await job.tick(never)
  for (const each of org.held.values()) each.phase = 'hidden'
  org.aheadMs += 14 * 60_000
  await expect(job.tick(never)).rejects.toMatchObject({ code: 'LIVE_IMPLAUSIBLE' })
  expect(Object.keys(await org.table())).toHaveLength(300)
})

test('ended conversations in after-call work are queried every quarter of an hour, and counted', async () => {
  await using org = await startLiveOrg()
  const wrapup = org.begin('wrapup', { state: 'interacting' })
  const agent = (wrapup.record['participants'] as { purpose: string; sessions: { segments: object[] }[] }[]).at(-1)
  agent?.sessions[0]?.segments.push({ segmentType: 'wrapup', segmentStart: new Date().toISOString(), queueId: 'q1' })
  wrapup.record['conversationEnd'] = new Date().toISOString()
  wrapup.phase = 'acw'
  const counts: number[] = []
  const job = org.job({}, { onEndedInAfterCallWork: (conversations) => counts.push(conversations) })
  for (let minute = 0; minute < 30; minute++) {
    await job.tick(never)
    org.aheadMs += 60_000
  }
  expect(counts).toEqual([1, 1])
  expect(requestsOf(org, 'acw')).toBe(2)
})

import { expect, it } from 'vitest'
import { belongsToHistory } from '../../src/genesys/details-filter.ts'
import { fullBudget, maySnapshot, refill } from '../../src/live/request-budget.ts'
import { countQueues, sumCounts, sumMediaTypes } from '../../src/live/queue-counts.ts'
import { LIVE_STATES, type LiveConversation } from '../../src/live/state.ts'

const at = new Date('2026-11-22T12:00:00.000Z')
const row = (fields: Partial<LiveConversation>): LiveConversation =>
  ({ queueId: 'q1', mediaType: 'voice', state: 'waiting', waitingSince: null, ...fields }) as LiveConversation

const noConversations = {
  conversations: 0,
  ivr: 0,
  waiting: 0,
  alerting: 0,
  dialing: 0,
  interacting: 0,
  hold: 0,
  acw: 0,
  scheduled: 0,
  other: 0,
}

it('counts by queue and medium, the longest wait of those waiting or alerting, users on every row', () => {
  const conversations = [
    row({ waitingSince: '2026-11-22T11:59:00.000Z' }),
    row({ state: 'alerting', waitingSince: '2026-11-22T11:58:30.500Z' }),
    row({ state: 'interacting' }),
    row({ state: 'hold' }),
    row({ state: 'acw' }),
    row({ state: 'dialing' }),
    row({ mediaType: null, state: 'interacting' }),
    row({ queueId: null, state: 'ivr' }),
  ]
  const users = new Map([
    ['q1', { onQueue: 3, offQueue: 4 }],
    ['idle', { onQueue: 2, offQueue: 0 }],
    ['closed', { onQueue: 0, offQueue: 9 }],
  ])
  const none = { ...noConversations, longestWaitSeconds: null }
  expect(countQueues(conversations, users, at)).toEqual([
    {
      queueId: 'q1',
      mediaType: 'voice',
      ...noConversations,
      conversations: 6,
      waiting: 1,
      alerting: 1,
      dialing: 1,
      interacting: 1,
      hold: 1,
      acw: 1,
      longestWaitSeconds: 89.5,
      onQueueUsers: 3,
      offQueueUsers: 4,
    },
    {
      ...none,
      queueId: 'q1',
      mediaType: 'unknown',
      conversations: 1,
      interacting: 1,
      onQueueUsers: 3,
      offQueueUsers: 4,
    },
    { ...none, queueId: null, mediaType: 'voice', conversations: 1, ivr: 1, onQueueUsers: null, offQueueUsers: null },
    { ...none, queueId: 'idle', mediaType: 'none', onQueueUsers: 2, offQueueUsers: 0 },
  ])
  expect(countQueues(conversations.slice(0, 1), null, at)).toMatchObject([{ onQueueUsers: null, offQueueUsers: null }])
})

it.each([
  ['first', ['2026-11-22T11:58:30.500Z', '2026-11-22T11:59:00.000Z']],
  ['last', ['2026-11-22T11:59:00.000Z', '2026-11-22T11:58:30.500Z']],
])('takes the longest wait of a queue, even if it comes %s', (_place, waits) => {
  const conversations = waits.map((waitingSince) => row({ waitingSince }))
  expect(countQueues(conversations, null, at)[0]?.longestWaitSeconds).toBe(89.5)
})

it('counts every conversation once, whatever its state, so that states add up to the queue and queues to the whole', () => {
  const conversations = LIVE_STATES.flatMap((state, index) =>
    ['q1', 'q2', null].map((queueId) => row({ queueId, state, mediaType: index % 2 === 0 ? 'voice' : 'chat' })),
  )
  const queues = sumMediaTypes(countQueues(conversations, null, at))
  const everyState = Object.fromEntries(LIVE_STATES.map((state) => [state, 1]))
  expect(queues.map(({ queueId }) => queueId)).toEqual(['q1', 'q2', null])
  for (const queue of queues) expect(queue).toMatchObject({ ...everyState, conversations: LIVE_STATES.length })
  expect(sumCounts(queues)).toMatchObject({ waiting: 3, other: 3, conversations: conversations.length })
})

it('adds the media types of a queue up, with the longest wait of any of them', () => {
  const conversations = [
    row({ waitingSince: '2026-11-22T11:59:00.000Z' }),
    row({ mediaType: 'email', waitingSince: '2026-11-22T11:00:00.000Z' }),
    row({ mediaType: 'chat', state: 'interacting' }),
  ]
  const users = new Map([['q1', { onQueue: 3, offQueue: 4 }]])
  expect(sumMediaTypes(countQueues(conversations, users, at))).toMatchObject([
    {
      mediaTypes: ['voice', 'email', 'chat'],
      conversations: 3,
      longestWaitSeconds: 3600,
      onQueueUsers: 3,
      offQueueUsers: 4,
    },
  ])
})

it('spends 40 % of the limit on average, whatever a snapshot costs', () => {
  for (const cost of [1, 50, 108, 115, 200, 500]) {
    let budget = fullBudget(270, 0)
    let spent = 0
    const minutes = 600
    for (let minute = 0; minute < minutes; minute++) {
      budget = refill(budget, 270, minute * 60_000)
      if (!maySnapshot(budget)) continue
      budget = { ...budget, balance: budget.balance - cost }
      spent += cost
    }
    expect(spent / minutes, `${cost} per snapshot`).toBeLessThanOrEqual(108 + (2 * cost) / minutes + 1)
    expect(spent / minutes, `${cost} per snapshot`).toBeGreaterThan(0.95 * Math.min(108, cost))
  }
})

it('holds at most a minute’s share, and a clock that stands still adds nothing', () => {
  expect(refill({ balance: -10, at: 0 }, 270, 3_600_000).balance).toBe(108)
  expect(refill({ balance: -10, at: 5000 }, 270, 1000).balance).toBe(-10)
})

it('knows which ended conversations belong to a narrowed history', () => {
  const record = {
    originatingDirection: 'inbound',
    conversationStart: '2026-11-22T11:00:00.000Z',
    conversationEnd: '2026-11-22T11:00:30.000Z',
    participants: [null, { sessions: [{ mediaType: 'voice' }, 7] }, { sessions: 3 }],
  }
  expect(belongsToHistory(record, {})).toBe(true)
  expect(
    belongsToHistory(record, { mediaTypes: ['email', 'voice'], direction: 'inbound', minDurationSeconds: 30 }),
  ).toBe(true)
  expect(belongsToHistory(record, { mediaTypes: ['email'] })).toBe(false)
  expect(belongsToHistory(record, { direction: 'outbound' })).toBe(false)
  expect(belongsToHistory(record, { minDurationSeconds: 31 })).toBe(false)
  expect(belongsToHistory({ ...record, conversationEnd: null }, { minDurationSeconds: 1 })).toBe(false)
})

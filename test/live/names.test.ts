import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { createNames } from '../../src/live/names.ts'
import { writeNames } from '../support/busy-center.ts'
import { createFileDatabase } from '../support/database.ts'

const database = await createFileDatabase()
const daysAgo = (days: number): Date => new Date(Date.now() - days * 86_400_000)

let warehouse: Warehouse
beforeAll(async () => {
  warehouse = connect(database.url)
  await writeNames(warehouse, daysAgo(1), { queues: [['q1', 'Billing']], users: [['u1', 'Ada']] })
  await writeNames(warehouse, daysAgo(20), {
    queues: [
      ['q1', 'Accounts'],
      ['q2', 'Sales'],
    ],
    users: [['u2', '']],
  })
  await writeNames(warehouse, daysAgo(90), { queues: [['q3', 'Closed long ago']] })
})
afterAll(() => warehouse.close())

/** A clock that stands still until a test moves it. */
function createClock(): { now: number; readonly elapsedMs: () => number } {
  const clock = { now: 0, elapsedMs: () => clock.now }
  return clock
}
const QUARTER_HOUR_MS = 15 * 60_000
const DAY_MS = 86_400_000

test('names are the latest of the last month; unknown and older ids have none', async () => {
  const nameOf = await createNames(warehouse.db, () => 0).resolve({
    queue: ['q1', 'q2', 'q3', 'nobody'],
    user: ['u1', 'u2', 'q1'],
  })
  expect([nameOf('queue', 'q1'), nameOf('queue', 'q2'), nameOf('user', 'u1')]).toEqual(['Billing', 'Sales', 'Ada'])
  const unknown = [nameOf('queue', 'q3'), nameOf('queue', 'nobody'), nameOf('user', 'u2'), nameOf('user', 'q1')]
  expect(unknown).toEqual([undefined, undefined, undefined, undefined])
})

test('ids are looked up again after a quarter of an hour, among the conversations of the last hours', async () => {
  const clock = createClock()
  const names = createNames(warehouse.db, clock.elapsedMs)
  await names.resolve({ user: ['u1', 'late', 'missed'] })
  await writeNames(warehouse, daysAgo(0.1), {
    users: [
      ['late', 'Late Comer'],
      ['u1', 'Ada Lovelace'],
    ],
  })
  await writeNames(warehouse, daysAgo(2), { users: [['missed', 'Loaded Late']] })
  clock.now = QUARTER_HOUR_MS - 1
  expect((await names.resolve({ user: ['late'] }))('user', 'late')).toBeUndefined()
  clock.now = QUARTER_HOUR_MS
  const nameOf = await names.resolve({ user: ['u1', 'late', 'missed'] })
  expect([nameOf('user', 'u1'), nameOf('user', 'late'), nameOf('user', 'missed')]).toEqual([
    'Ada Lovelace',
    'Late Comer',
    undefined,
  ])
  // The whole month is searched again once a day.
  clock.now = DAY_MS
  expect((await names.resolve({ user: ['missed'] }))('user', 'missed')).toBe('Loaded Late')
})

test('a look-up that takes too long or fails leaves ids without names, and what was known stays', async () => {
  const clock = createClock()
  const names = createNames(warehouse.db, clock.elapsedMs)
  await names.resolve({ user: ['u1'] })
  clock.now = QUARTER_HOUR_MS
  const blocker = await warehouse.connectAlone('test')
  try {
    await blocker.query('begin; lock table genesys.participants')
    const nameOf = await names.resolve({ user: ['u1', 'other'] })
    expect(nameOf('user', 'u1')).toMatch(/^Ada/)
    expect(nameOf('user', 'other')).toBeUndefined()
  } finally {
    await blocker.end()
  }
  await writeNames(warehouse, daysAgo(10), { users: [['other', 'Other']] })
  expect((await names.resolve({ user: ['other'] }))('user', 'other')).toBeUndefined()
  clock.now += 60_000
  expect((await names.resolve({ user: ['other'] }))('user', 'other')).toBe('Other')
  await using gone = connect('postgres://nobody@127.0.0.1:1/none')
  expect((await createNames(gone.db, () => 0).resolve({ queue: ['q1'] }))('queue', 'q1')).toBeUndefined()
})

test('a name is cut to a length that a page can show', async () => {
  await writeNames(warehouse, daysAgo(0.1), { users: [['long', 'x'.repeat(10_000)]] })
  expect((await createNames(warehouse.db, () => 0).resolve({ user: ['long'] }))('user', 'long')).toHaveLength(200)
})

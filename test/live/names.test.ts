import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { createNames } from '../../src/live/names.ts'
import { writeNames } from '../support/busy-center.ts'
import { createFileDatabase } from '../support/database.ts'

const database = await createFileDatabase()

let warehouse: Warehouse
beforeAll(async () => {
  warehouse = connect(database.url)
  await writeNames(warehouse, {
    queues: [['q1', 'Billing']],
    users: [
      ['u1', 'Ada'],
      ['u2', ''],
    ],
  })
})
afterAll(() => warehouse.close())

/** A clock that stands still until a test moves it. */
function createClock(): { now: number; readonly elapsedMs: () => number } {
  const clock = { now: 0, elapsedMs: () => clock.now }
  return clock
}
const MINUTE_MS = 60_000

test('names are those of reference data, deleted ones too; other ids have none', async () => {
  await warehouse.pool.query("insert into genesys.dim_queues (id, name, _deleted_at) values ('q2', 'Closed', now())")
  const nameOf = await createNames(warehouse.db, () => 0).resolve({
    queue: ['q1', 'q2', 'nobody'],
    user: ['u1', 'u2', 'q1'],
  })
  expect([nameOf('queue', 'q1'), nameOf('queue', 'q2'), nameOf('user', 'u1')]).toEqual(['Billing', 'Closed', 'Ada'])
  expect([nameOf('queue', 'nobody'), nameOf('user', 'u2'), nameOf('user', 'q1')]).toEqual([
    undefined,
    undefined,
    undefined,
  ])
})

test('ids are looked up again after a minute', async () => {
  const clock = createClock()
  const names = createNames(warehouse.db, clock.elapsedMs)
  await names.resolve({ user: ['u1', 'late'] })
  await writeNames(warehouse, {
    users: [
      ['late', 'Late Comer'],
      ['u1', 'Ada Lovelace'],
    ],
  })
  clock.now = MINUTE_MS - 1
  expect((await names.resolve({ user: ['late'] }))('user', 'late')).toBeUndefined()
  clock.now = MINUTE_MS
  const nameOf = await names.resolve({ user: ['u1', 'late'] })
  expect([nameOf('user', 'u1'), nameOf('user', 'late')]).toEqual(['Ada Lovelace', 'Late Comer'])
})

test('a look-up that takes too long or fails leaves what was known', async () => {
  const clock = createClock()
  const names = createNames(warehouse.db, clock.elapsedMs)
  await names.resolve({ user: ['u1'] })
  clock.now = MINUTE_MS
  const blocker = await warehouse.connectAlone('test')
  try {
    await blocker.query('begin; lock table genesys.dim_users')
    const nameOf = await names.resolve({ user: ['u1', 'other'] })
    expect(nameOf('user', 'u1')).toMatch(/^Ada/)
    expect(nameOf('user', 'other')).toBeUndefined()
  } finally {
    await blocker.end()
  }
  await writeNames(warehouse, { users: [['other', 'Other']] })
  expect((await names.resolve({ user: ['other'] }))('user', 'other')).toBeUndefined()
  clock.now += MINUTE_MS
  expect((await names.resolve({ user: ['other'] }))('user', 'other')).toBe('Other')
  await using gone = connect('postgres://nobody@127.0.0.1:1/none')
  expect((await createNames(gone.db, () => 0).resolve({ queue: ['q1'] }))('queue', 'q1')).toBeUndefined()
})

test('a name is cut to a length that a page can show', async () => {
  await writeNames(warehouse, { users: [['long', 'x'.repeat(10_000)]] })
  expect((await createNames(warehouse.db, () => 0).resolve({ user: ['long'] }))('user', 'long')).toHaveLength(200)
})

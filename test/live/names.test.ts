import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { createNames } from '../../src/live/names.ts'
import { ensurePartitions } from '../../src/loader/partitions.ts'
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
  await ensurePartitions(warehouse, { start: daysAgo(2), end: daysAgo(1) })
  await sql`insert into genesys.flows (conversation_id, conversation_start, _index, _participant_index, _session_index, flow_id, flow_name)
    values ('c', ${daysAgo(2)}, 0, 0, 0, 'f1', 'Main menu')`.execute(warehouse.db)
})
afterAll(() => warehouse.close())

test('names are the latest that recent history knows; ids of nobody and of long ago have none', async () => {
  const nameOf = await createNames(warehouse.db).resolve({
    queue: ['q1', 'q2', 'q3', 'nobody'],
    user: ['u1', 'u2', 'q1'],
    flow: ['f1'],
  })
  const named = [nameOf('queue', 'q1'), nameOf('queue', 'q2'), nameOf('user', 'u1'), nameOf('flow', 'f1')]
  expect(named).toEqual(['Billing', 'Sales', 'Ada', 'Main menu'])
  const unknown = [nameOf('queue', 'q3'), nameOf('queue', 'nobody'), nameOf('user', 'u2'), nameOf('user', 'q1')]
  expect(unknown).toEqual([undefined, undefined, undefined, undefined])
})

test('what is known, and what nobody knows, is not looked up again before its time', async () => {
  let now = 0
  const names = createNames(warehouse.db, { keepMs: 1000, now: () => now })
  await names.resolve({ user: ['u1', 'late'] })
  await writeNames(warehouse, daysAgo(0.5), { users: [['late', 'Late Comer']] })
  now = 999
  expect((await names.resolve({ user: ['late'] }))('user', 'late')).toBeUndefined()
  now = 1000
  expect((await names.resolve({ user: ['late'] }))('user', 'late')).toBe('Late Comer')
})

test('a look-up that takes too long or fails leaves ids without names, and what was known stays', async () => {
  let now = 0
  const names = createNames(warehouse.db, { keepMs: 1000, timeoutMs: 300, now: () => now })
  await names.resolve({ user: ['u1'] })
  now = 5000
  const blocker = await warehouse.connectAlone('test')
  try {
    await blocker.query('begin; lock table genesys.participants')
    const nameOf = await names.resolve({ user: ['u1', 'other'] })
    expect(nameOf('user', 'u1')).toBe('Ada')
    expect(nameOf('user', 'other')).toBeUndefined()
  } finally {
    await blocker.end()
  }
  await using gone = connect('postgres://nobody@127.0.0.1:1/none')
  expect((await createNames(gone.db).resolve({ queue: ['q1'] }))('queue', 'q1')).toBeUndefined()
})

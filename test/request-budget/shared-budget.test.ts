import { PassThrough } from 'node:stream'
import { sql } from 'kysely'
import { afterAll, expect, test } from 'vitest'
import { createRateLimiter, type SharedBudget } from '../../src/genesys/rate-limiter.ts'
import { createLogger } from '../../src/log.ts'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { budgetKey, createSharedBudget } from '../../src/request-budget/shared-budget.ts'
import { never } from '../genesys/support.ts'
import { createFileDatabase, createTestDatabase } from '../support/database.ts'

const database = await createFileDatabase()
// one connection each, as a process has it
const connectOnce = (): Warehouse => connect(database.url, { max: 1 })
const warehouses = [connectOnce(), connectOnce(), connectOnce()] as const
await Promise.all(warehouses.map(({ pool }) => pool.query('select 1')))
afterAll(() => Promise.all(warehouses.map((warehouse) => warehouse.close())))

const silent = createLogger('silent')
const budgetOf = (warehouse: Warehouse, client: string, requestsPerMinute: number): SharedBudget =>
  createSharedBudget({
    db: warehouse.db,
    key: budgetKey('https://api.test', client),
    requestsPerMinute,
    logger: silent,
  })

test('processes that lease at the same time get the limit together, to the last request', async () => {
  const budgets = warehouses.map((warehouse) => budgetOf(warehouse, 'busy', 100))
  let granted = 0
  const leaseTenTimes = async (budget: SharedBudget): Promise<void> => {
    for (let i = 0; i < 10; i++) {
      const lease = await budget.lease('history', 7)
      granted += lease?.granted ?? Number.NaN
    }
  }
  await Promise.all(budgets.map(leaseTenTimes))
  expect(granted).toBe(100)
  const refused = await budgets[0]!.lease('history', 1)
  expect(refused?.granted).toBe(0)
  expect(refused?.waitMs).toBeGreaterThan(50_000)
})

test('rate limiters of several processes keep to one limit, and another client has its own', async () => {
  const limiters = warehouses.map((warehouse) =>
    createRateLimiter({ requestsPerMinute: 60, shared: budgetOf(warehouse, 'shared', 60) }),
  )
  const stop = new AbortController()
  let sent = 0
  const work = limiters.flatMap((limiter) =>
    Array.from({ length: 40 }, () =>
      limiter.acquire('history', stop.signal).then(
        () => sent++,
        () => {},
      ),
    ),
  )
  await expect.poll(() => limiters.reduce((sum, each) => sum + each.stats().waiting, 0), { timeout: 10_000 }).toBe(60)
  expect(sent).toBe(60)
  expect(Math.max(...limiters.map((limiter) => limiter.stats().waitMs))).toBeGreaterThan(30_000)
  stop.abort()
  await Promise.all(work)

  const other = createRateLimiter({ requestsPerMinute: 60, shared: budgetOf(warehouses[0], 'another', 60) })
  await other.acquire('history', never)
})

test('the client is not named in the database', async () => {
  await budgetOf(warehouses[0], 'a-client-id', 10).lease('live', 1)
  const { rows } = await sql<{ text: string }>`select t::text as text from etl.request_budget t`.execute(
    warehouses[0].db,
  )
  expect(rows.map(({ text }) => text).join()).not.toContain('a-client-id')
  expect(budgetKey('https://api.a', 'c')).not.toBe(budgetKey('https://api.b', 'c'))
})

test('a row that is not understood counts as empty', async () => {
  const budget = budgetOf(warehouses[0], 'edited', 10)
  await budget.lease('history', 10)
  for (const state of [
    '{}',
    'null',
    '[1]',
    '{"slots":[[1,2]],"liveWaitsUntil":0}',
    '{"slots":"x","liveWaitsUntil":1e300}',
  ]) {
    await sql`update etl.request_budget set state = ${state}::jsonb where client = ${budgetKey('https://api.test', 'edited')}`.execute(
      warehouses[0].db,
    )
    expect(await budget.lease('history', 10)).toEqual({ granted: 10, waitMs: 0 })
  }
})

test('without the table or the database nothing is leased, one warning says so, and requests go on', async () => {
  const lines = new PassThrough()
  const logger = createLogger('info', lines)
  await using unmigrated = connect((await createTestDatabase({ empty: true })).url)
  const key = budgetKey('https://api.test', 'c')
  const budget = createSharedBudget({ db: unmigrated.db, key, requestsPerMinute: 10, logger })
  const limiter = createRateLimiter({ requestsPerMinute: 10, shared: budget })
  for (let i = 0; i < 10; i++) await limiter.acquire('history', never)
  expect(await budget.lease('live', 1)).toBeNull()
  expect(String(lines.read()).trim().split('\n')).toHaveLength(1)

  await using nowhere = connect('postgres://127.0.0.1:1/none')
  const unreachable = createSharedBudget({ db: nowhere.db, key, requestsPerMinute: 10, logger: silent })
  expect(await unreachable.lease('live', 1)).toBeNull()
})

test('a table that another session has locked holds a request back for some seconds, not for longer', async () => {
  const blocker = await warehouses[1].connectAlone('blocker')
  try {
    const budget = budgetOf(warehouses[0], 'locked', 10)
    await budget.lease('live', 1)
    await blocker.query('begin; lock table etl.request_budget in access exclusive mode')
    expect(await budget.lease('live', 1)).toBeNull()
    await blocker.query('rollback')
    await expect.poll(() => budget.lease('live', 1)).toMatchObject({ granted: 1 })
  } finally {
    await blocker.end()
  }
})

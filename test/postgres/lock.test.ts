import { patience } from '../support/patience.ts'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from 'pg'
import { afterAll, expect, onTestFinished, test, vi } from 'vitest'
import { connect, type Warehouse } from '../../src/postgres/connect.ts'
import { inspectDatabase } from '../../src/postgres/inspect.ts'
import { withJobLock } from '../../src/postgres/lock.ts'
import { createFileDatabase } from '../support/database.ts'
import { startTransactionPooler } from './transaction-pooler.ts'

const database = await createFileDatabase()
const one = connect(database.url)
const other = connect(database.url)
afterAll(() => Promise.all([one.close(), other.close()]))
const never = new AbortController().signal

test('only one process runs a job at once; others may run other jobs', async () => {
  const refused = { code: 'JOB_ALREADY_RUNNING', kind: 'retryable' }
  await withJobLock(one, 'sync', never, async () => {
    await expect(withJobLock(other, 'sync', never, async () => 'ran')).rejects.toMatchObject(refused)
    await expect(withJobLock(other, 'sync', never, async () => 'ran')).rejects.toThrow(/ on .+ since \d{4}-/)
    expect(await withJobLock(other, 'backfill', never, async () => 'ran')).toBe('ran')
  })
})

test('gives the lock back after the work, and after its failure, whose error it passes on', async () => {
  await expect(withJobLock(one, 'sync', never, () => Promise.reject(new Error('mine')))).rejects.toThrow('mine')
  await expect.poll(() => withJobLock(other, 'sync', never, async () => 'ran').catch(() => 'busy')).toBe('ran')
})

test('Postgres looks within a minute whether the holder still exists, so that a host that vanished blocks no job', async () => {
  const client = await one.connectAlone('lock sync')
  const { rows } = await client.query<{ seconds: number }>(`
    select current_setting('tcp_keepalives_idle')::int
      + current_setting('tcp_keepalives_interval')::int * current_setting('tcp_keepalives_count')::int as seconds`)
  await client.end()
  expect(rows).toEqual([{ seconds: 60 }])
})

test("passes the caller's abort on to the work", async () => {
  const stop = new AbortController()
  const work = withJobLock(one, 'sync', stop.signal, async (signal) => {
    stop.abort(new Error('enough'))
    signal.throwIfAborted()
  })
  await expect(work).rejects.toThrow('enough')
})

test('stops the work when the connection that holds the lock is lost', async () => {
  const work = withJobLock(one, 'sync', never, async (signal) => {
    const lost = once(signal, 'abort')
    await other.pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name like '%lock sync%'`,
    )
    await lost
    signal.throwIfAborted()
  })
  await expect(work).rejects.toMatchObject({ code: 'JOB_LOCK_LOST', kind: 'retryable' })
})

test('stops the work when the session has lost the lock although its connection lives on', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  onTestFinished(() => {
    vi.useRealTimers()
  })
  const clients: Client[] = []
  const watched: Warehouse = {
    ...one,
    async connectAlone(purpose) {
      const client = await one.connectAlone(purpose)
      clients.push(client)
      return client
    },
  }
  const heartbeat = () => vi.advanceTimersByTime(20_000)
  const seen: boolean[] = []
  const work = withJobLock(watched, 'sync', never, async (signal) => {
    const [holder] = clients
    heartbeat()
    // queries of a connection are answered in order, so the heartbeat has its answer when this one has
    await holder!.query('select')
    await sleep(0)
    seen.push(signal.aborted)
    await holder!.query('select pg_advisory_unlock_all()')
    heartbeat()
    // the loss of the lock may have closed the connection before this one is answered
    await holder!.query('select').catch(() => {})
    await expect.poll(() => signal.aborted, patience).toBe(true)
    seen.push(signal.aborted)
    signal.throwIfAborted()
  })
  await expect(work).rejects.toMatchObject({ code: 'JOB_LOCK_LOST', kind: 'retryable' })
  expect(clients).toHaveLength(1)
  expect(seen, 'aborted while the lock is held, and after it was lost').toEqual([false, true])
})

test('does not report success for work that ignored the loss of its lock', async () => {
  const work = withJobLock(one, 'sync', never, async () => {
    await other.pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name like '%lock sync%'`,
    )
    await sleep(200)
  })
  await expect(work).rejects.toMatchObject({ code: 'JOB_LOCK_LOST' })
})

test('refuses a pooler in transaction mode, where the lock would protect nothing', async () => {
  await using pooler = await startTransactionPooler(database.url)
  await using pooled = connect(pooler.url)
  const refused = { code: 'POOLER_IN_THE_WAY', kind: 'config' }
  await expect(withJobLock(pooled, 'sync', never, async () => 'ran')).rejects.toMatchObject(refused)
  const findings = await inspectDatabase(pooled)
  expect(findings.filter(({ verdict }) => verdict !== 'ok').map(({ name }) => name)).toEqual(['connection'])
  // and it has left no lock behind
  expect(await withJobLock(one, 'sync', never, async () => 'ran')).toBe('ran')
})

test('finds nothing wrong with a database that is right', async () => {
  const findings = await inspectDatabase(one)
  expect(findings.map(({ name, verdict }) => [name, verdict])).toEqual([
    ['version', 'ok'],
    ['encoding', 'ok'],
    ['rights', 'ok'],
    ['connection', 'ok'],
    ['clock', 'ok'],
    ['locks', 'ok'],
  ])
})

test('explains an address, a login or a database that is wrong', async () => {
  const wrong = async (change: (url: URL) => void) => {
    const url = new URL(database.url)
    change(url)
    await using warehouse = connect(url.href)
    return inspectDatabase(warehouse).catch((error: unknown) => error)
  }
  expect(await wrong((url) => (url.port = '1'))).toMatchObject({ code: 'DATABASE_UNAVAILABLE', kind: 'retryable' })
  expect(await wrong((url) => (url.password = 'no'))).toMatchObject({ code: 'DATABASE_LOGIN', kind: 'config' })
  expect(await wrong((url) => (url.pathname = '/no'))).toMatchObject({ code: 'DATABASE_LOGIN', kind: 'config' })
  expect(await wrong((url) => url.searchParams.set('sslmode', 'no-verify'))).toBeInstanceOf(Error)
})

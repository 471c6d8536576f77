import { sql } from 'kysely'
import { afterEach, expect, test } from 'vitest'
import { createLogger } from '../../src/log.ts'
import { readReference } from '../../src/reference/read-reference.ts'
import { watchUnknownIds, type UnknownIds } from '../../src/reference/unknown-ids.ts'
import { startTestOrg, threeDays, type TestOrg } from '../support/simulated-org.ts'
import { runHistory } from '../../src/history/sync.ts'

const never = new AbortController().signal
const started: AsyncDisposable[] = []
afterEach(async () => {
  for (const each of started.splice(0)) await each[Symbol.asyncDispose]()
})

async function startWatch(): Promise<{ it: TestOrg; watch: UnknownIds; load: () => Promise<void> }> {
  const it = await startTestOrg()
  const dependencies = it.dependencies()
  const watch = watchUnknownIds({
    db: it.warehouse.db,
    logger: createLogger('silent'),
    read: (names, signal) => readReference(dependencies, { names, trigger: 'load' }, signal),
  })
  started.push({ [Symbol.asyncDispose]: () => watch.stop() }, dependencies, it)
  const load = async () => {
    const request = { job: 'backfill', range: threeDays, reload: true } as const
    const summary = await runHistory(
      { ...dependencies, onLoaded: (_counts, ids) => watch.note(ids) },
      request,
      'manual',
      never,
    )
    expect(summary.windows.done).toBe(3)
    await watch.settled(never)
  }
  return { it, watch, load }
}

async function reads(it: TestOrg): Promise<{ lists: string[]; trigger: string }[]> {
  const { rows } = await sql<{ lists: string[]; trigger: string }>`
    select parameters -> 'lists' as lists, trigger from etl.runs where job = 'reference' order by id`.execute(
    it.warehouse.db,
  )
  return rows
}

const agePast = (it: TestOrg, minutes: number) =>
  sql`update etl.reference_reads set attempted_at = attempted_at - ${`${minutes} minutes`}::interval`.execute(
    it.warehouse.db,
  )

async function nameOf(it: TestOrg, id: string): Promise<string | null | undefined> {
  const { rows } = await sql<{ name: string | null }>`select name from genesys.dim_queues where id = ${id}`.execute(
    it.warehouse.db,
  )
  return rows[0]?.name
}

test('a load that meets an unknown queue has it read, at most once in five minutes', async () => {
  const { it, watch, load } = await startWatch()
  const [hidden, other] = it.org.org.queues
  const { reference } = it.org.control
  reference.deletePermanently('queues', hidden!.id)
  await load()
  expect(await reads(it)).toEqual([{ lists: ['queues', 'users', 'wrap_up_codes'], trigger: 'load' }])
  expect(await nameOf(it, other!.id)).toBe(other!.name)
  expect(await nameOf(it, hidden!.id)).toBeUndefined()

  // what reading has not brought is not asked for again
  await load()
  expect(await reads(it)).toHaveLength(1)

  reference.add('queues', { id: 'new-queue', name: 'Brand new' })
  watch.note({ queues: new Set(['new-queue']) })
  await watch.settled(never)
  expect(await reads(it)).toHaveLength(1)

  await agePast(it, 6)
  watch.note({ queues: new Set(['another']) })
  await watch.settled(never)
  expect(await reads(it)).toEqual([expect.anything(), { lists: ['queues'], trigger: 'load' }])
  expect(await nameOf(it, 'new-queue')).toBe('Brand new')
})

test('what came too early is looked for when its time has come', async () => {
  const { it, watch } = await startWatch()
  watch.note({ queues: new Set([it.org.org.queues[0]!.id]) })
  await watch.settled(never)
  it.org.control.reference.add('queues', { id: 'new-queue', name: 'Brand new' })
  // all but half a second of the five minutes have passed
  await sql`update etl.reference_reads set attempted_at = clock_timestamp() - interval '299.5 seconds'`.execute(
    it.warehouse.db,
  )
  watch.note({ queues: new Set(['new-queue']) })
  await watch.settled(never)
  expect(await reads(it)).toHaveLength(1)
  await expect.poll(() => nameOf(it, 'new-queue'), { timeout: 10_000 }).toBe('Brand new')
})

test('codes of the system are never asked for, and known ids cost no read', async () => {
  const { it, watch } = await startWatch()
  watch.note({
    queues: new Set([it.org.org.queues[0]!.id]),
    wrap_up_codes: new Set(['ININ-WRAP-UP-TIMEOUT', 'ININ-OF-TOMORROW']),
  })
  await watch.settled(never)
  expect(await reads(it)).toEqual([{ lists: ['queues'], trigger: 'load' }])
  await agePast(it, 60)
  watch.note({ queues: new Set(it.org.org.queues.map(({ id }) => id)) })
  await watch.settled(never)
  expect(await reads(it)).toHaveLength(1)
})

test('loading does not fail where names cannot be read', async () => {
  const { it, load } = await startWatch()
  it.org.control.clients.get(it.org.clientId)!.permissions.delete('routing:queue:view')
  it.org.control.faults.add({ on: '/api/v2/users', kind: '503' })
  await load()
  await it.expectEqual()
  expect(await reads(it)).toHaveLength(1)
  const { rows } = await sql<{ entity: string; error_code: string }>`
    select entity, error_code from etl.reference_reads where error is not null order by entity`.execute(it.warehouse.db)
  expect(rows.map(({ entity, error_code }) => [entity, error_code])).toEqual([
    ['queue_service_levels', 'GENESYS_FORBIDDEN'],
    ['queues', 'GENESYS_FORBIDDEN'],
    ['users', 'GENESYS_UNAVAILABLE'],
  ])
})

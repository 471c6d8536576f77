/** Reading reference data in a process of its own: killed with kill -9 at seeded points, and with little memory. */
import { sql } from 'kysely'
import { afterAll, expect, test } from 'vitest'
import { hashFraction } from '../../src/simulator/random.ts'
import { environmentOf, startCli } from '../support/cli.ts'
import { connectTestOrg, startOrg } from '../support/simulated-org.ts'
import { kill, requests } from '../faults/killed-backfill.ts'

const org = await startOrg({ days: 1, perDay: 1, latencyMs: 10 })
afterAll(() => org.close())

test('a reading that is killed marks nothing, and the next one completes', async () => {
  await using it = await connectTestOrg(org)
  const read = () => startCli(['sync', '--reference', '--json'], { env: environmentOf(org, it.databaseUrl) })
  const first = await read().result
  expect(first.code, first.stderr).toBe(0)
  expect(JSON.parse(first.stdout)).toMatchObject({ counts: { lists: 20, failed: 0 } })

  const { reference } = org.control
  const [queue] = org.org.queues
  const user = org.org.users[3]!
  reference.change('users', user.id, { name: 'Renamed' })
  reference.deletePermanently('queues', queue!.id)
  const deleted = async () => {
    const { rows } = await sql<{ id: string }>`
      select id from genesys.dim_users where _deleted_at is not null and state <> 'deleted'
      union all select id from genesys.dim_queues where _deleted_at is not null
      union all select user_id from genesys.dim_queue_members where _deleted_at is not null and queue_id <> ${queue!.id}
      union all select id from genesys.dim_wrap_up_codes where _deleted_at is not null`.execute(it.warehouse.db)
    return rows.map(({ id }) => id)
  }
  for (let time = 0; time < 4; time++) {
    const child = read()
    await requests(org, 1 + Math.floor(hashFraction(`reference/${time}`) * 40), child)
    await kill(child)
    expect((await deleted()).filter((id) => id !== queue!.id)).toEqual([])
  }
  const last = await read().result
  expect(last.code, last.stderr).toBe(0)
  expect(await deleted()).toEqual([queue!.id])
  const { rows: names } = await sql<{ name: string }>`select name from genesys.dim_users where id = ${user.id}`.execute(
    it.warehouse.db,
  )
  expect(names).toEqual([{ name: 'Renamed' }])
  const { rows } = await sql<{ status: string; runs: number }>`
    select status, count(*)::int as runs from etl.runs where job = 'reference' group by 1 order by 1`.execute(
    it.warehouse.db,
  )
  expect(rows.find(({ status }) => status === 'done')?.runs).toBeGreaterThanOrEqual(2)
  expect(rows.some(({ status }) => status === 'running')).toBe(false)
})

test('fifty thousand users take little memory', async () => {
  await using large = await startOrg({ days: 1, perDay: 1 })
  await using it = await connectTestOrg(large)
  for (let number = 0; number < 50_000; number++) {
    const id = `user-${number}`
    const biography = 'A sentence about somebody. '.repeat(40)
    large.control.reference.add('users', {
      id,
      name: `User ${number}`,
      state: 'active',
      email: `${id}@example.com`,
      biography,
    })
  }
  const env = { ...environmentOf(large, it.databaseUrl), NODE_OPTIONS: '--max-old-space-size=96' }
  const deleted = large.org.users.filter(({ state }) => state === 'deleted').length
  // each user, and the marks of those that are deleted
  for (const written of [50_000 + large.org.users.length + deleted, 0]) {
    const { code, stdout, stderr } = await startCli(['sync', '--reference', '--json'], { env }).result
    expect(code, stderr).toBe(0)
    const { lists } = JSON.parse(stdout) as { lists: { list: string; written: number }[] }
    expect(lists.find(({ list }) => list === 'users')?.written).toBe(written)
  }
  const { rows } = await sql<{ rows: number }>`
    select rows::int as rows from reporting.freshness_reference where entity = 'users'`.execute(it.warehouse.db)
  expect(rows[0]?.rows).toBe(50_000 + large.org.users.length - deleted)
}, 240_000)

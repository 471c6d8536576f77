import { sql } from 'kysely'
import { afterAll, expect, test } from 'vitest'
import { environmentOf, runCli, startCli, type CliResult } from '../support/cli.ts'
import { patience } from '../support/patience.ts'
import { connectTestOrg, startOrg, type TestOrg } from '../support/simulated-org.ts'

const org = await startOrg({ malformedShare: 0, perDay: 40 })
afterAll(() => org.close())
const range = ['--from', '2025-06-10', '--to', '2025-06-13']

function reconcile(it: TestOrg, ...args: string[]): Promise<CliResult> {
  return runCli(['reconcile', ...args], { env: environmentOf(org, it.databaseUrl) })
}

test.each([
  ['no range', [], '--from'],
  ['no date', ['--from', 'yesterday', '--to', '2025-06-13'], '--from "yesterday"'],
  ['a range that ends before it starts', ['--from', '2025-06-13', '--to', '2025-06-10'], 'not before'],
  ['a range in the future', ['--from', '2999-01-01', '--to', '2999-01-02'], 'future'],
  ['an instant within a half hour', ['--from', '2025-06-10T10:15', '--to', '2025-06-13'], 'half hour'],
  ['an unknown option', [...range, '--by-queue'], '--by-queue'],
])('%s: 78', async (_name, args, said) => {
  const { code, stderr } = await runCli(['reconcile', ...args], {
    env: environmentOf(org, 'postgres://nobody@127.0.0.1:1/none'),
  })
  expect(code).toBe(78)
  expect(stderr).toContain(said)
})

test('0 where the numbers are equal, 75 where days are not loaded yet, 1 where they differ or the permission is missing', async () => {
  await using it = await connectTestOrg(org)
  const early = await reconcile(it, ...range)
  expect(early).toMatchObject({ code: 75, stdout: expect.stringContaining('2025-06-10 was not compared: it is not') })
  await it.backfill()
  const equal = await reconcile(it, ...range, '--by-user')
  expect(equal, equal.stderr).toMatchObject({ code: 0 })
  expect(equal.stdout).toMatch(/^Compared [\d,]+ cells of 3 days with Genesys' aggregates, .*by user\./)
  expect(equal.stdout).toContain("No difference: the numbers are Genesys' own.")

  const id = org.control.changes.begin('inboundCall', Date.parse('2025-06-11T09:00Z'))
  const differs = await reconcile(it, ...range)
  expect(differs.code).toBe(1)
  expect(differs.stdout).toMatch(
    /2025-06-11T09:00Z, queue [\da-f-]+, voice:\n {4}\w+ of \w+: Genesys [\d,]+, here [\d,]+ \(/,
  )
  expect(differs.stdout).toContain(`    conversation ${id}: not in the tables`)
  const json = await reconcile(it, ...range, '--json')
  expect(json.code).toBe(1)
  const document = JSON.parse(json.stdout) as { differences: { class: string }[]; classes: Record<string, number> }
  expect(document).toMatchObject({ equal: false, byUser: false, skipped: [] })
  expect(document.differences[0]).toMatchObject({
    class: 'missing',
    mediaType: 'voice',
    ours: expect.any(Number),
    theirs: expect.any(Number),
    conversations: expect.arrayContaining([{ conversationId: id, cause: 'missing' }]),
  })
  const env = environmentOf(org, it.databaseUrl)
  const differing = expect.stringContaining("Numbers differ from Genesys' own: 2025-06-11") as string
  expect(await runCli(['status', '--check'], { env })).toMatchObject({ code: 1, stdout: differing })
  const status = await runCli(['status'], { env })
  expect(status).toMatchObject({ code: 0, stdout: differing })
  expect(status.stdout).toMatch(/Equal to Genesys {3}\d+ figures differ \(3 days until 2025-06-12\)/)
  org.control.changes.remove(id)

  const client = org.control.clients.get(org.clientId)!
  client.permissions.delete('analytics:conversationAggregate:view')
  const forbidden = await reconcile(it, ...range)
  client.permissions.add('analytics:conversationAggregate:view')
  expect(forbidden.code).toBe(1)
  expect(forbidden.stderr).toContain('Grant analytics:conversationAggregate:view to a role')
})

test('killed at any point, it leaves each day whole or untouched, and the next run completes', async () => {
  await using it = await connectTestOrg(org)
  await it.backfill()
  const id = org.control.changes.begin('inboundCall', Date.parse('2025-06-11T09:00Z'))
  const env = environmentOf(org, it.databaseUrl)
  for (const requests of [2, 3, 5, 7]) {
    const from = org.requests.length
    const child = startCli(['reconcile', ...range], { env })
    let isOver = false
    void child.result.then(() => (isOver = true))
    await expect.poll(() => isOver || org.requests.length - from >= requests, patience).toBe(true)
    child.kill('SIGKILL')
    await child.result
    const { rows } = await sql<{ torn: number }>`
      select count(*)::integer as torn from (
        select run_id, day, count(*) as found from etl.reconciliations group by 1, 2) r
      full join etl.reconciled_days d using (run_id, day)
      where coalesce(r.found, 0) <> coalesce(d.differences + d.expected, -1)
        and not exists (select from etl.reconciled_days later where later.day = day and later.run_id > run_id)`.execute(
      it.warehouse.db,
    )
    expect(rows[0]?.torn).toBe(0)
  }
  expect(await reconcile(it, ...range)).toMatchObject({ code: 1, stdout: expect.stringContaining(id) })
  org.control.changes.remove(id)
  expect(await reconcile(it, ...range)).toMatchObject({ code: 0 })
  const { rows } = await sql<{ status: string }>`
    select distinct status from etl.runs where job = 'reconcile' order by 1`.execute(it.warehouse.db)
  expect(rows.map(({ status }) => status)).not.toContain('running')
})

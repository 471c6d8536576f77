import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { connect } from '../../src/postgres/connect.ts'
import { conversation, load } from '../loader/conversations.ts'
import { runCli } from '../support/cli.ts'
import { createFileDatabase } from '../support/database.ts'

const database = await createFileDatabase()
const env = { DATABASE_URL: database.url }

test('replay: 1 while a record is rejected again, 0 when all are loaded, and the run is recorded', async () => {
  await using warehouse = connect(database.url)
  await sql`alter table genesys.conversations add constraint wanted check (external_tag is distinct from 'bad')`.execute(
    warehouse.db,
  )
  await load(warehouse, [conversation('a', { externalTag: 'bad' }), conversation('b'), 'no conversation'], 1)
  const first = await runCli(['replay'], { env })
  expect(first).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('Loaded 2 rejected records again.') as string,
  })
  expect(first.stdout).toMatch(/rejected again \(see etl\.rejected_records\) +2/)
  await sql`alter table genesys.conversations drop constraint wanted`.execute(warehouse.db)
  const second = await runCli(['replay', '--json'], { env })
  expect(second.code).toBe(1)
  expect(JSON.parse(second.stdout)).toMatchObject({ records: 2, inserted: 1, rejected: 1 })
  await sql`delete from etl.rejected_records where conversation_id is null`.execute(warehouse.db)
  expect(await runCli(['replay'], { env })).toMatchObject({ code: 0, stdout: 'There are no rejected records.\n' })
  const { rows } = await sql`
    select status, counts -> 'records' as records from etl.runs where job = 'replay' order by id`.execute(warehouse.db)
  expect(rows).toEqual([
    { status: 'done', records: 2 },
    { status: 'done', records: 2 },
    { status: 'done', records: 0 },
  ])
})

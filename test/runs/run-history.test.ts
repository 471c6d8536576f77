import { afterAll, expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { connect } from '../../src/postgres/connect.ts'
import { startRun } from '../../src/runs/run-history.ts'
import { createFileDatabase } from '../support/database.ts'

const database = await createFileDatabase()
const warehouse = connect(database.url)
afterAll(() => warehouse.close())

test('a run records the version of the program that ran it', async () => {
  const { id } = await startRun(warehouse.db, { job: 'sync', trigger: 'manual', parameters: {} })
  const row = await warehouse.db.selectFrom('etl.runs').select('version').where('id', '=', id).executeTakeFirst()
  expect(row).toEqual({ version: manifest.version })
})

/** The commands erase and export-person, and that what they are asked for is neither stored nor logged. */
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { connect } from '../../src/postgres/connect.ts'
import { load } from '../loader/conversations.ts'
import { callOf } from '../privacy/support.ts'
import { emptyFolder, runCli } from '../support/cli.ts'
import { createFileDatabase } from '../support/database.ts'
import { findTraces } from '../support/traces.ts'

const database = await createFileDatabase()
const env = { DATABASE_URL: database.url }
const ani = '+13175550100'

test('erase and export-person find a person, and keep nothing of what they were asked for', async () => {
  await using warehouse = connect(database.url)
  const others = ['b', 'c'].map((id) => callOf(id, { ani: `+4930${id.charCodeAt(0)}` }))
  await load(warehouse, [callOf('a', { ani }), ...others], 1)

  const file = path.join(emptyFolder(), 'person.json')
  const exported = await runCli(['export-person', '--address', ani, '--output', file], { env })
  expect(exported).toMatchObject({ code: 0, stdout: 'Wrote 1 part of 1 conversation.\n' })
  expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({
    conversations: ['a'],
    stored: [{ kind: 'conversation', conversationId: 'a', content: { conversationId: 'a' } }],
  })
  expect(statSync(file).mode & 0o777).toBe(0o600)

  const preview = await runCli(['erase', '--address', ani, '--dry-run', '--json'], { env })
  expect(JSON.parse(preview.stdout)).toMatchObject({ dryRun: true, conversations: ['a'], stored: 1 })
  expect(preview.stdout).not.toContain(ani)

  const erased = await runCli(['erase', '--address', ani], { env })
  expect(erased).toMatchObject({ code: 0, stdout: expect.stringContaining('1 conversation and 0 rejected') as string })
  for (const { stdout, stderr } of [exported, preview, erased]) expect(stdout + stderr).not.toContain(ani)
  expect(await findTraces(warehouse, [ani])).toEqual({})

  const list = path.join(emptyFolder(), 'ids.txt')
  writeFileSync(list, 'a\nb\n')
  const again = await runCli(['erase', '--conversation-file', list, '--json'], { env })
  expect(JSON.parse(again.stdout)).toMatchObject({ conversations: 2, deleted: { 'genesys.conversations': 1 } })
})

test.each([
  [['erase'], 'Nothing is named'],
  [['erase', '--address', ani, '--conversation-id', 'a'], 'several kinds'],
  [['erase', '--address', ' '], 'is empty'],
  [['erase', '--conversation-file', '/nowhere'], 'ENOENT'],
  [['export-person'], 'Nothing is named'],
])('%j is refused: %s', async (args, message) => {
  const { code, stderr } = await runCli(args, { env })
  expect(code).toBe(78)
  expect(stderr).toContain(message)
  expect(stderr).not.toContain(ani)
})

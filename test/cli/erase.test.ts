/** The commands erase and export-person, and that what they are asked for is neither stored nor logged. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { connect } from '../../src/postgres/connect.ts'
import { load } from '../loader/conversations.ts'
import { callOf } from '../privacy/support.ts'
import { emptyFolder, environmentOf, runCli } from '../support/cli.ts'
import { createFileDatabase, createTestDatabase } from '../support/database.ts'
import { startOrg } from '../support/simulated-org.ts'
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

const UUID = '4e1a77b0-0000-4000-8000-00000000abcd'

/** A file with the text, as an editor or a shell writes it. */
function fileWith(content: string | Buffer): string {
  const file = path.join(emptyFolder(), 'list.txt')
  writeFileSync(file, content)
  return file
}

test('a list may have blanks, line ends of Windows, a byte order mark, repetitions, and ids in upper case', async () => {
  await using warehouse = connect(database.url)
  await load(warehouse, [callOf(UUID, { ani }), callOf('of-list', { ani: '1' })], 1)
  const list = fileWith(`\uFEFF${UUID.toUpperCase()}\r\n\r\n  of-list \r\n${UUID}\r\n`)
  const { code, stdout, stderr } = await runCli(['erase', '--conversation-file', list, '--json'], { env })
  expect(code, stderr).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ conversations: 2, deleted: { 'genesys.conversations': 2 } })
  expect(await findTraces(warehouse, [ani])).toEqual({})
})

test('--dry-run with --keep-statistics says that the cells stay', async () => {
  await using warehouse = connect(database.url)
  await load(warehouse, [callOf('counted', { ani })], 1)
  const preview = async (...options: string[]) =>
    (
      JSON.parse(
        (await runCli(['erase', '--conversation-id', 'counted', '--dry-run', '--json', ...options], { env })).stdout,
      ) as { rows: object }
    ).rows
  expect(await preview()).toHaveProperty(['etl.interval_cells'])
  expect(await preview('--keep-statistics')).not.toHaveProperty(['etl.interval_cells'])
})

test('what most conversations have is erased with --yes alone', async () => {
  await using fresh = await createTestDatabase()
  await using warehouse = connect(fresh.url)
  const calls = Array.from({ length: 1001 }, (_, index) => callOf(`many-${index}`, { ani }))
  await load(warehouse, calls, 1)
  const given = { env: { DATABASE_URL: fresh.url } }
  const refused = await runCli(['erase', '--address', ani], given)
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('repeat the command with --yes') as string })
  expect(await findTraces(warehouse, [ani])).not.toEqual({})
  expect(await runCli(['erase', '--address', ani, '--yes'], given)).toMatchObject({ code: 0 })
  expect(await findTraces(warehouse, [ani])).toEqual({})
})

test('--from-genesys without the permission names it', async () => {
  await using org = await startOrg({ days: 0 })
  org.control.clients.get(org.clientId)!.permissions.delete('gdpr:request:view')
  await using fresh = await createTestDatabase()
  const { code, stderr } = await runCli(['erase', '--from-genesys'], { env: environmentOf(org, fresh.url) })
  expect(code).toBe(1)
  expect(stderr).toContain('gdpr:request:view')
})

test('an export goes to a new file alone, and leaves none behind when it fails', async () => {
  const folder = emptyFolder()
  const there = fileWith('mine')
  const exporting = (output: string, more: Record<string, string> = {}) =>
    runCli(['export-person', '--address', ani, '--output', output], { env: { ...env, ...more } })
  expect(await exporting(there)).toMatchObject({
    code: 78,
    stderr: expect.stringContaining('it is there already') as string,
  })
  expect(readFileSync(there, 'utf8')).toBe('mine')
  expect(await exporting(folder)).toMatchObject({ code: 78, stderr: expect.stringContaining('--output') as string })
  expect(await exporting(path.join(folder, 'none', 'x.json'))).toMatchObject({
    code: 78,
    stderr: expect.stringContaining('its folder does not exist') as string,
  })
  const failed = path.join(folder, 'failed.json')
  expect(await exporting(failed, { PII: 'drop' })).toMatchObject({ code: 78 })
  expect(existsSync(failed)).toBe(false)
})

test.each([
  [['erase'], 'Nothing is named'],
  [['erase', '--address', ani, '--conversation-id', 'a'], 'several kinds'],
  [['erase', '--address', ' '], 'is empty'],
  [['erase', '--address', '1'], 'too short to be an address'],
  [['erase', '--conversation-id', ani], 'named by an address'],
  [['erase', '--conversation-file', '/nowhere'], 'ENOENT'],
  [['erase', '--conversation-file', '/'], 'EISDIR'],
  [['erase', '--from-genesys', '--address', ani], 'none can be named with it'],
  [['erase', '--everything'], "unknown option '--everything'"],
  [['erase', '--apply-policy', '--dry-run'], 'nothing else can be named'],
  [['export-person'], 'Nothing is named'],
])('%j is refused: %s', async (args, message) => {
  const { code, stderr } = await runCli(args, { env })
  expect(code).toBe(78)
  expect(stderr).toContain(message)
  expect(stderr).not.toContain(ani)
})

test.each([
  ['\n \r\n', '--conversation-file is empty'],
  [`id,address\n"${UUID}","${ani}"\n`, 'is no list of ids'],
  [Buffer.from(`${UUID}\n`, 'utf16le'), 'is no list of ids'],
  [`${ani}\n`, 'named by an address'],
])('a list of %j is refused: %s', async (content, message) => {
  const { code, stderr } = await runCli(['erase', '--conversation-file', fileWith(content)], { env })
  expect(code).toBe(78)
  expect(stderr).toContain(message)
  expect(stderr).not.toContain(ani)
})

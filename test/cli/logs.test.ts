/** Whatever happens, and however much is logged, nothing of a customer and nothing secret reaches stdout or stderr. */
import { sql } from 'kysely'
import { afterAll, beforeEach, expect, test } from 'vitest'
import type { JsonObject, JsonValue } from '../../src/model/json.ts'
import type { FaultKind } from '../../src/simulator/faults.ts'
import { environmentOf, runCli, startCli } from '../support/cli.ts'
import { stayClearOfMidnight } from '../support/midnight.ts'
import { patience } from '../support/patience.ts'
import { connectTestOrg, startOrg } from '../support/simulated-org.ts'

const org = await startOrg({ now: new Date(), days: 2, perDay: 60 })
afterAll(() => org.close())
stayClearOfMidnight()
beforeEach(() => org.control.clock.set(Date.now()))

/** Fields whose values are about a person, or were written by one. */
const personal = new Set([
  'participantName', 'ani', 'dnis', 'addressFrom', 'addressTo', 'addressOther', 'addressSelf', 'sessionDnis', 'remote',
  'remoteNameDisplayable', 'callbackNumbers', 'callbackUserName', 'wrapUpNote', 'subject', 'transferTargetAddress',
  'transferTargetName', 'externalTag', 'protocolCallId', 'screenShareAddressSelf',
]) // prettier-ignore

/** Every text under a personal field, and everything that looks like a phone number or an e-mail address. */
function personalTexts(value: JsonValue | undefined, field: string, found: Set<string>): void {
  if (typeof value === 'string') {
    if (personal.has(field) || /@[\w-]+\.\w+|^(?:tel:|sip:)|^\+?\d{7,}$/.test(value)) found.add(value)
  } else if (Array.isArray(value)) {
    for (const element of value) personalTexts(element as JsonValue, field, found)
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, member] of Object.entries(value as JsonObject)) personalTexts(member, key, found)
  }
}

function expectClean(outputs: readonly string[], secrets: readonly string[]): void {
  const texts = new Set<string>()
  for (const conversation of org.truth()) personalTexts(conversation as JsonObject, '', texts)
  // short ones would be found in any text
  const forbidden = [...texts].filter((text) => text.trim().length >= 6).concat(secrets)
  expect(forbidden.length).toBeGreaterThan(200)
  const output = outputs.join('\n')
  expect(forbidden.filter((text) => output.includes(text))).toEqual([])
  // as JSON the same texts could be escaped
  expect(forbidden.filter((text) => output.includes(JSON.stringify(text).slice(1, -1)))).toEqual([])
  expect(output).not.toMatch(/bearer [\w-]{8}/i)
  expect(output).not.toMatch(/basic [\w+/=]{8}/i)
}

test('nothing secret and nothing personal is in any output at the finest level, with every fault', async () => {
  await using it = await connectTestOrg(org)
  const url = new URL(it.databaseUrl)
  const env = { ...environmentOf(org, it.databaseUrl), LOG_LEVEL: 'trace', HISTORY_LOOKBACK_DAYS: '2', HTTP_PORT: '0' }
  const today = new Date().toISOString().slice(0, 10)
  const twoDays = ['--from', new Date(Date.now() - 2 * 86_400_000).toISOString().slice(0, 10), '--to', today]
  const kinds = ['401', '502-html', '503', 'reset-before', 'reset-in-body', 'truncated', 'html-200'] as const
  const outputs: string[] = []
  const run = async (args: string[], overrides: Record<string, string> = {}) => {
    const { stdout, stderr } = await runCli(args, { env: { ...env, ...overrides } })
    outputs.push(stdout, stderr)
  }
  const fail = (kind: FaultKind, nth: number) => org.control.faults.add({ on: 'details', kind, nth })

  for (const [index, kind] of kinds.entries()) fail(kind, 2 + index * 2)
  await run(['backfill', ...twoDays])
  org.control.faults.clear()
  expect(outputs.join('')).toContain('"level":"debug"')

  // failures that end a run
  org.control.faults.add({ on: 'details', kind: '429-long' })
  await run(['sync'])
  org.control.faults.clear()
  await run(['doctor'])
  await run(['sync'], { GENESYS_CLIENT_SECRET: 'a-wrong-secret' })
  const wrong = new URL(url)
  wrong.password = 'a-wrong-password'
  wrong.username = 'nobody'
  await run(['sync'], { DATABASE_URL: wrong.href })
  await run(['status'])

  // rows that Postgres refuses, with their values in its messages
  await sql`alter table genesys.participants add constraint refuse check (participant_name is null) not valid`.execute(
    it.warehouse.db,
  )
  await run(['backfill', ...twoDays, '--reload'])
  await sql`update etl.conversations set content_hash = 'other'`.execute(it.warehouse.db)
  await run(['backfill', ...twoDays, '--reload'])
  await sql`alter table genesys.participants drop constraint refuse`.execute(it.warehouse.db)

  // differences that verify reports
  await sql`update genesys.participants set participant_name = null where _index = 0`.execute(it.warehouse.db)
  await sql`update genesys.sessions set ani = null, dnis = null, remote = null`.execute(it.warehouse.db)
  await run(['verify', ...twoDays])
  await run(['verify', ...twoDays, '--json'])

  const service = startCli(['serve'], { env })
  org.control.faults.add({ on: 'any', kind: '503', every: 3, times: 6 })
  await expect.poll(() => service.stderr(), patience).toContain('run done')
  service.kill('SIGTERM')
  const { stdout, stderr } = await service.result
  outputs.push(stdout, stderr)
  org.control.faults.clear()

  expectClean(
    outputs,
    [org.clientSecret, 'a-wrong-secret', 'a-wrong-password', decodeURIComponent(url.password)].filter(Boolean),
  )
})

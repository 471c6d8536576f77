import { afterAll, expect, test } from 'vitest'
import { sql } from 'kysely'
import { connect } from '../../src/postgres/connect.ts'
import { recordWindow } from '../../src/history/ledger.ts'
import { environmentOf, runCli } from '../support/cli.ts'
import { createFileDatabase, createTestDatabase } from '../support/database.ts'
import { startOrg } from '../support/simulated-org.ts'

const org = await startOrg({ perDay: 5, now: new Date() })
afterAll(() => org.close())
const database = await createFileDatabase()
const env = environmentOf(org, database.url)

interface Report {
  readonly ok: boolean
  readonly checks: readonly { name: string; verdict: string; detail: string; mend?: string }[]
}

async function doctor(
  overrides: Record<string, string | undefined> = {},
): Promise<{ code: number | null; report: Report }> {
  const { code, stdout } = await runCli(['doctor', '--json'], { env: { ...env, ...overrides } })
  return { code, report: JSON.parse(stdout) as Report }
}

function find({ checks }: Report, name: string) {
  return checks.find((check) => check.name.startsWith(name))
}

test('reports that everything is ready', async () => {
  const { code, report } = await doctor()
  expect(report.checks.filter(({ verdict }) => verdict !== 'ok')).toEqual([])
  expect({ code, ok: report.ok }).toEqual({ code: 0, ok: true })
  const text = await runCli(['doctor'], { env })
  expect(text).toMatchObject({ code: 0, stdout: expect.stringContaining('Ready to load.') })
})

test('reports a wrong secret', async () => {
  const { code, report } = await doctor({ GENESYS_CLIENT_SECRET: 'wrong' })
  expect(code).toBe(1)
  expect(find(report, 'login')).toMatchObject({
    verdict: 'failed',
    mend: expect.stringContaining('GENESYS_CLIENT_SECRET'),
  })
  // the other checks run all the same
  expect(find(report, 'database: version')).toMatchObject({ verdict: 'ok' })
})

test('reports a client that this region does not know', async () => {
  const { code, report } = await doctor({ GENESYS_CLIENT_ID: '00000000-0000-4000-8000-000000000000' })
  expect(code).toBe(1)
  expect(find(report, 'login')).toMatchObject({
    verdict: 'failed',
    mend: expect.stringContaining('GENESYS_ENVIRONMENT'),
  })
})

test('names a missing permission', async () => {
  const client = org.control.addClient({ permissions: new Set() })
  const { code, report } = await doctor({ GENESYS_CLIENT_ID: client.id, GENESYS_CLIENT_SECRET: client.secret })
  expect(code).toBe(1)
  expect(find(report, 'permission analytics:conversationDetail:view')).toMatchObject({
    verdict: 'failed',
    mend: expect.stringContaining('analytics:conversationDetail:view'),
  })
})

test('says until when the data of details jobs are complete, and what is lost without them', async () => {
  const { report } = await doctor()
  expect(find(report, 'details jobs')).toMatchObject({
    verdict: 'ok',
    detail: expect.stringMatching(/^permitted; their data are complete until \d{4}-\d\d-\d\dT\d\d:\d\dZ$/),
  })
  expect(org.control.jobs.list().filter(({ isDeleted }) => !isDeleted)).toEqual([])
  const client = org.control.addClient({ permissions: new Set(['analytics:agentConversationDetail:view']) })
  const limited = { GENESYS_CLIENT_ID: client.id, GENESYS_CLIENT_SECRET: client.secret }
  const warned = await doctor(limited)
  expect(find(warned.report, 'details jobs')).toMatchObject({
    verdict: 'warning',
    detail: expect.stringContaining('participant attributes are not loaded'),
    mend: expect.stringContaining('analytics:conversationDetail:view'),
  })
  expect(warned.code).toBe(0)
  const demanded = await doctor({ ...limited, HISTORY_ATTRIBUTES: 'true' })
  expect(find(demanded.report, 'details jobs')).toMatchObject({ verdict: 'failed' })
  expect(demanded.code).toBe(1)
})

test('warns of missing optional permissions, and names what is lost without them', async () => {
  const client = org.control.addClient({ permissions: new Set(['analytics:conversationDetail:view']) })
  const { code, report } = await doctor({ GENESYS_CLIENT_ID: client.id, GENESYS_CLIENT_SECRET: client.secret })
  expect(code).toBe(0)
  const lost: Readonly<Record<string, string>> = {
    'analytics:queueObservation:view': 'live queues',
    'gdpr:request:view': 'deletions that were requested at Genesys',
    'routing:queue:view': 'live queues',
    'routing:wrapupCode:view': 'wrap-up codes have no names',
    'routing:skill:view': 'skills have no names',
    'routing:skillGroup:view': 'skill groups have no names',
    'architect:flow:view': 'flows',
    'architect:flowOutcome:view': 'flow outcomes have no names',
    'architect:flowMilestone:view': 'flow milestones have no names',
    'groups:team:view': 'teams have no names',
    'presence:presenceDefinition:view': 'presences have no names',
    'quality:evaluationForm:view': 'evaluation forms',
    'quality:surveyForm:view': 'survey forms',
    'outbound:campaign:view': 'campaigns have no names',
    'outbound:contactList:view': 'contact lists have no names',
  }
  for (const [permission, words] of Object.entries(lost)) {
    expect(find(report, `permission ${permission}`)).toMatchObject({
      verdict: 'warning',
      detail: expect.stringMatching(new RegExp(`without it .*${words}`)),
      mend: expect.stringContaining(permission),
    })
  }
  expect(find(report, 'permission analytics:queueObservation:view')?.detail).toContain('older than a day')
  expect(find(report, 'permission analytics:conversationAggregate:view')).toMatchObject({
    verdict: 'warning',
    detail: expect.stringContaining('figures of today'),
    mend: expect.stringContaining('analytics:conversationAggregate:view'),
  })
})

test('warns of divisions that the client does not see', async () => {
  const some = org.org.divisions.slice(0, 1).map(({ id }) => id)
  const client = org.control.addClient({ divisions: new Set(some) })
  const { code, report } = await doctor({ GENESYS_CLIENT_ID: client.id, GENESYS_CLIENT_SECRET: client.secret })
  expect(code).toBe(0)
  const check = find(report, 'divisions')
  expect(check).toMatchObject({ verdict: 'warning' })
  expect(check?.detail).toContain(`1 of ${org.org.divisions.length}`)
  for (const { name } of org.org.divisions.slice(1)) expect(check?.detail).toContain(name)
})

test('reports a clock that is wrong', async () => {
  org.control.set({ dateSkewMs: -120_000 })
  try {
    const { code, report } = await doctor()
    expect(code).toBe(1)
    for (const name of ['clock', 'database clock'])
      expect(find(report, name)).toMatchObject({ verdict: 'failed', mend: expect.stringContaining('NTP') })
  } finally {
    org.control.set({ dateSkewMs: 0 })
  }
})

test('reports a database that is down, and checks Genesys all the same', async () => {
  const url = new URL(database.url)
  url.port = '9'
  const { code, report } = await doctor({ DATABASE_URL: url.href })
  expect(code).toBe(1)
  expect(find(report, 'database')).toMatchObject({ verdict: 'failed' })
  expect(find(report, 'login')).toMatchObject({ verdict: 'ok' })
})

test('reports what the ledger has and the tables lack, and what is dated in the future', async () => {
  await using own = await createTestDatabase()
  await using warehouse = connect(own.url)
  const key = { stream: 'conversations', filter: {} }
  const start = new Date('2025-06-10T00:00:00Z')
  const mark = { ...key, start, end: new Date('2025-06-11T00:00:00Z'), status: 'done', hits: 7, runId: null } as const
  await recordWindow(warehouse.db, mark)
  const { report } = await doctor({ DATABASE_URL: own.url })
  expect(find(report, 'ledger')).toMatchObject({
    verdict: 'failed',
    detail: expect.stringContaining('2025-06-10'),
    mend: expect.stringContaining('backfill --reload'),
  })
  expect(find(report, 'dates')).toMatchObject({ verdict: 'ok' })
  // none of them could be loaded, so none is missing
  await recordWindow(warehouse.db, { ...mark, counts: { rejected: 7 } })
  await sql`update etl.windows set read_at = now() + interval '1 hour'`.execute(warehouse.db)
  await sql`insert into etl.conversations (conversation_id, conversation_start, content_hash, fetched_at)
    values ('a', ${start}, 'x', now() + interval '1 hour')`.execute(warehouse.db)
  const later = await doctor({ DATABASE_URL: own.url })
  expect(find(later.report, 'ledger')).toMatchObject({ verdict: 'ok' })
  expect(find(later.report, 'dates')).toMatchObject({
    verdict: 'warning',
    detail: expect.stringMatching(/1 window of the ledger, 1 conversation in etl\.conversations/),
  })
})

test('warns of a schema that is behind', async () => {
  await using empty = await createTestDatabase({ empty: true })
  const { code, report } = await doctor({ DATABASE_URL: empty.url })
  expect(code).toBe(0)
  expect(find(report, 'schema')).toMatchObject({ verdict: 'warning', mend: expect.stringContaining('migrate') })
})

test('reports a wrong environment with every problem: 78', async () => {
  const { code, report } = await doctor({ DATABASE_URL: undefined, HISTORY_CRON: 'x' })
  expect(code).toBe(78)
  expect(find(report, 'configuration')?.detail).toContain('DATABASE_URL')
  expect(find(report, 'configuration')?.detail).toContain('HISTORY_CRON')
})

test('warns of misspelt variables and doubtful values, and still is ready to load', async () => {
  const { code, report } = await doctor({ HISTORY_STRAT: '2026-01-01', GENESYS_REQUESTS_PER_MINUTE: '3000' })
  expect(code).toBe(0)
  expect(report.checks.filter(({ name }) => name === 'configuration')).toEqual([
    expect.objectContaining({ verdict: 'warning', detail: expect.stringContaining('did you mean HISTORY_START?') }),
  ])
  const text = await runCli(['doctor'], { env: { ...env, HISTORY_STRAT: '2026-01-01' } })
  expect(text.stdout).toContain('Ready to load, with 1 warning.')
})

/** What Genesys has deleted on request is erased here, once. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { createLogger } from '../../src/log.ts'
import { applyGdprRequests, type GdprResult } from '../../src/privacy/gdpr-requests.ts'
import type { GdprRequest } from '../../src/simulator/gdpr-requests.ts'
import { load } from '../loader/conversations.ts'
import { startTestOrg, type TestOrg } from '../support/simulated-org.ts'
import { findTraces } from '../support/traces.ts'
import { callOf } from './support.ts'

const never = new AbortController().signal

async function apply(it: TestOrg, options: { readonly dryRun?: boolean; readonly evenMany?: boolean } = {}) {
  await using dependencies = it.dependencies()
  const { dryRun = false, evenMany = false } = options
  const given = { dryRun, evenMany, keepStatistics: false, osUser: null }
  const logger = createLogger('silent')
  return await applyGdprRequests({ ...dependencies, logger }, given, 'manual', never)
}

const outcomes = (results: readonly GdprResult[]): Record<string, string> =>
  Object.fromEntries(results.map(({ requestId, outcome }) => [requestId, outcome]))

function request(id: string, fields: Partial<GdprRequest>): GdprRequest {
  return {
    id,
    requestType: 'GDPR_DELETE',
    status: 'COMPLETED',
    createdDate: '2025-06-01T10:00:00.000Z',
    subject: {},
    ...fields,
  }
}

const people = {
  number: '+13175550100',
  mail: 'ada@example.org',
  contact: 'contact +13175550102',
  export: '+13175550103',
  running: '+13175550104',
  failed: '+13175550105',
} as const

async function orgWithRequests(): Promise<TestOrg> {
  const it = await startTestOrg({ days: 0 })
  await load(
    it.warehouse,
    [...Object.keys(people), 'other'].map((id) =>
      callOf(id, { ani: id === 'contact' ? '+13175550102' : (people[id as keyof typeof people] ?? '+49301') }),
    ),
    1,
  )
  const { gdprRequests } = it.org.control
  gdprRequests.put(request('r-number', { subject: { phoneNumbers: ['+1 (317) 555-0100'] } }))
  gdprRequests.put(request('r-mail', { subject: { name: 'Ada', emailAddresses: ['Ada@Example.org'] } }))
  gdprRequests.put(request('r-contact', { subject: { externalContactId: people.contact } }))
  gdprRequests.put(request('r-export', { requestType: 'GDPR_EXPORT', subject: { phoneNumbers: [people.export] } }))
  for (const status of ['INITIATED', 'SEARCHING', 'UPDATING', 'DELETING', 'FINALIZING'] as const)
    gdprRequests.put(request(`r-${status}`, { status, subject: { phoneNumbers: [people.running] } }))
  gdprRequests.put(request('r-error', { status: 'ERROR', subject: { phoneNumbers: [people.failed] } }))
  gdprRequests.put(request('r-user', { subject: { userId: 'u1' } }))
  gdprRequests.put(request('r-name', { subject: { name: 'Somebody' } }))
  return it
}

const applied = { 'r-number': 'applied', 'r-mail': 'applied', 'r-contact': 'applied' }
const others = {
  'r-INITIATED': 'not completed',
  'r-SEARCHING': 'not completed',
  'r-UPDATING': 'not completed',
  'r-DELETING': 'not completed',
  'r-FINALIZING': 'not completed',
  'r-error': 'not completed',
  'r-user': 'employee',
  'r-name': 'unnamed',
}

test('completed deletions are applied once; exports, running and failed requests are not', async () => {
  await using it = await orgWithRequests()
  expect(outcomes(await apply(it, { dryRun: true }))).toEqual({ ...applied, ...others })
  expect((await sql`select from etl.erasures`.execute(it.warehouse.db)).rows).toEqual([])

  const results = await apply(it)
  expect(outcomes(results)).toEqual({ ...applied, ...others })
  expect(results.filter(({ outcome }) => outcome === 'applied').map(({ conversations }) => conversations)).toEqual([
    1, 1, 1,
  ])
  expect(await findTraces(it.warehouse, [people.number, people.mail, people.contact])).toEqual({})
  const { rows } = await sql<{ id: string }>`
    select conversation_id as id from genesys.conversations order by 1`.execute(it.warehouse.db)
  expect(rows.map(({ id }) => id)).toEqual(['export', 'failed', 'other', 'running'])

  const before = Object.fromEntries(Object.keys(applied).map((id) => [id, 'applied before']))
  expect(outcomes(await apply(it))).toEqual({ ...before, ...others })
  it.org.control.gdprRequests.put(request('r-DELETING', { subject: { phoneNumbers: [people.running] } }))
  expect(outcomes(await apply(it))).toEqual({ ...before, ...others, 'r-DELETING': 'applied' })
  const { rows: erasures } = await sql<{ id: string; kind: string }>`
    select request_id as id, key_kind as kind from etl.erasures order by id`.execute(it.warehouse.db)
  expect(erasures.map(({ id }) => id).sort()).toEqual(['r-DELETING', 'r-contact', 'r-mail', 'r-number'])
})

test('of an employee the name and addresses go, again where a read has brought them back; conversations stay', async () => {
  await using it = await orgWithRequests()
  const write = () =>
    sql`
      insert into genesys.dim_users (id, name, email, title, _extra)
      values ('u1', 'Ada Lind', 'ada.lind@example.org', 'Agent', '{"chat": {"jabberId": "ada.lind"}}'), ('u2', 'Bo Ek', 'bo@example.org', 'Agent', null)
      on conflict (id) do update set name = excluded.name, email = excluded.email, _extra = excluded._extra`.execute(
      it.warehouse.db,
    )
  await write()
  await apply(it, { dryRun: true })
  expect(Object.keys(await findTraces(it.warehouse, ['ada.lind', 'Ada Lind']))).toEqual(['genesys.dim_users'])
  for (const _ of ['first', 'brought back']) {
    expect(outcomes(await apply(it))).toMatchObject({ 'r-user': 'employee' })
    expect(await findTraces(it.warehouse, ['ada.lind', 'Ada Lind'])).toEqual({})
    const { rows } = await sql`select id, name, email, title from genesys.dim_users order by id`.execute(
      it.warehouse.db,
    )
    expect(rows).toEqual([
      { id: 'u1', name: null, email: null, title: 'Agent' },
      { id: 'u2', name: 'Bo Ek', email: 'bo@example.org', title: 'Agent' },
    ])
    await write()
  }
})

test('the list is read to its last page, and without the permission the error names it', async () => {
  await using it = await startTestOrg({ days: 0 })
  for (let number = 0; number < 230; number++)
    it.org.control.gdprRequests.put(request(`r-${number}`, { status: 'ERROR' }))
  expect(await apply(it, { dryRun: true })).toHaveLength(230)
  it.org.control.clients.get(it.org.clientId)!.permissions.delete('gdpr:request:view')
  await expect(apply(it)).rejects.toMatchObject({
    code: 'GENESYS_FORBIDDEN',
    hint: expect.stringContaining('gdpr:request:view') as string,
  })
})

test('a request that selects a large part of the history is left to someone who looks at it', async () => {
  await using it = await startTestOrg({ days: 0 })
  const calls = Array.from({ length: 1001 }, (_, index) => callOf(`c-${index}`, { ani: people.number }))
  await load(it.warehouse, calls, 1)
  it.org.control.gdprRequests.put(request('r', { subject: { phoneNumbers: [people.number] } }))
  expect(await apply(it)).toMatchObject([{ outcome: 'too many', conversations: 1001 }])
  expect(await apply(it, { evenMany: true })).toMatchObject([{ outcome: 'applied', conversations: 1001 }])
})

import { describe, expect, test } from 'vitest'
import { probeClock, probeDetailsQuery, probeDivisions, probeOrganization } from '../../src/genesys/probes.ts'
import { json } from '../support/fake-server.ts'
import { fakeGenesys, never } from './support.ts'

const sending = { priority: 'live', signal: never } as const
const permission = 'analytics:conversationDetail:view'

/** Answers each path with its body; what is missing is refused with 403. */
function org(bodies: Record<string, unknown>, headers: Record<string, string> = {}) {
  return fakeGenesys((received) => {
    const { pathname } = new URL(received.url, 'http://org')
    const body = bodies[pathname.replace('/api/v2/', '')]
    if (body === undefined) return json(received, { message: 'missing', code: 'missing.permissions' }, 403)
    return json(received, body, 200, headers)
  })
}

const divisions = {
  entities: [
    { id: 'd1', name: 'Home' },
    { id: 'd2', name: 'North' },
  ],
  pageCount: 1,
}
const grant = (division: string, entityName: string, actions: string[]) => ({
  division: { id: division },
  role: { policies: [{ domain: 'analytics', entityName, actions }] },
})

test('the organization is read with its name', async () => {
  await using genesys = await org({
    'organizations/me': { id: 'o1', name: 'Acme' },
  })
  expect(await probeOrganization(genesys.client, sending)).toEqual({ id: 'o1', name: 'Acme' })
})

test('an organization without an id is no organization', async () => {
  await using genesys = await org({ 'organizations/me': {} })
  await expect(probeOrganization(genesys.client, sending)).rejects.toMatchObject({ code: 'GENESYS_BAD_ANSWER' })
})

describe('the divisions we can see of those there are', () => {
  const all = divisions.entities

  test('the visible divisions are those that the API lists as permitted', async () => {
    await using genesys = await org({
      'authorization/divisions': divisions,
      'authorization/divisionspermitted/paged/me': { entities: [{ id: 'd2', name: 'North' }], pageCount: 1 },
    })
    expect(await probeDivisions(genesys.client, permission, sending)).toEqual({
      all,
      visible: [{ id: 'd2', name: 'North' }],
      source: 'divisions-permitted',
    })
    expect(genesys.api()[1]!.url).toContain('permission=analytics%3AconversationDetail%3Aview')
  })

  test('all divisions are visible where the API says that all are permitted', async () => {
    await using genesys = await org({
      'authorization/divisions': divisions,
      'authorization/divisionspermitted/paged/me': { allDivsPermitted: true },
    })
    expect((await probeDivisions(genesys.client, permission, sending)).visible).toEqual(all)
  })

  test('a page count without end does not keep the doctor forever', async () => {
    await using genesys = await org({
      'authorization/divisions': divisions,
      'authorization/divisionspermitted/paged/me': { entities: [{ id: 'd2', name: 'North' }], pageCount: 1e9 },
    })
    expect((await probeDivisions(genesys.client, permission, sending)).visible?.map(({ id }) => id)).toContain('d2')
  })

  test.each([
    ['one division', [grant('d1', 'conversationDetail', ['view'])], ['d1']],
    ['all divisions', [grant('*', 'conversationDetail', ['view'])], ['d1', 'd2']],
    ['any action', [grant('d2', 'conversationDetail', ['*'])], ['d2']],
    ['any entity', [grant('d2', '*', ['view'])], ['d2']],
    ['another permission', [grant('*', 'queueObservation', ['view'])], []],
    ['another action', [grant('*', 'conversationDetail', ['edit'])], []],
  ])('the visible divisions come from our grants where the list is refused: %s', async (_name, grants, visible) => {
    await using genesys = await org({ 'authorization/divisions': divisions, 'authorization/subjects/me': { grants } })
    const found = await probeDivisions(genesys.client, permission, sending)
    expect(found.source).toBe('grants')
    expect(found.visible?.map(({ id }) => id)).toEqual(visible)
  })

  test('the visible divisions are unknown where neither the list nor the grants are answered', async () => {
    await using genesys = await org({ 'authorization/divisions': divisions })
    expect(await probeDivisions(genesys.client, permission, sending)).toEqual({ all, visible: null, source: 'unknown' })
  })
})

test('the permission to read conversations is tried with a tiny query', async () => {
  const now = new Date('2026-11-22T10:00:00Z')
  await using allowed = await org({ 'analytics/conversations/details/query': { totalHits: 12 } })
  expect(await probeDetailsQuery(allowed.client, now, sending)).toBe(12)
  expect(JSON.parse(allowed.api()[0]!.body)).toMatchObject({
    interval: '2026-11-22T09:00:00.000Z/2026-11-22T10:00:00.000Z',
    paging: { pageSize: 1, pageNumber: 1 },
  })
  await using refused = await org({})
  await expect(probeDetailsQuery(refused.client, now, sending)).rejects.toMatchObject({
    code: 'GENESYS_FORBIDDEN',
    hint: expect.stringContaining(permission),
  })
})

test('the clock is compared with the Date of an answer', async () => {
  const theirs = 'Sun, 22 Nov 2026 10:00:00 GMT'
  await using genesys = await org({ 'organizations/me': { id: 'o1' } }, { Date: theirs })
  expect(await probeClock(genesys.client, sending, () => Date.parse(theirs) + 5000)).toBe(5000)
})

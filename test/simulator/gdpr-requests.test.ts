import { afterAll, beforeAll, expect, test } from 'vitest'
import type { GdprRequest } from '../../src/simulator/gdpr-requests.ts'
import { startSimulator } from '../../src/simulator/server.ts'
import { connectClient } from './http-client.ts'

const org = await startSimulator({ days: 0, now: '2026-03-19T10:30:00Z' })
afterAll(() => org.close())
const path = '/api/v2/gdpr/requests'

function request(number: number): GdprRequest {
  const createdDate = new Date(Date.UTC(2026, 0, 1, 0, number)).toISOString()
  return { id: `r-${number}`, requestType: 'GDPR_DELETE', status: 'COMPLETED', subject: {}, createdDate }
}
beforeAll(() => {
  for (let number = 0; number < 30; number++) org.control.gdprRequests.put(request(number))
})

test('lists requests in pages, the newest first', async () => {
  const client = await connectClient(org)
  const { json } = await client.send('GET', `${path}?pageSize=20&pageNumber=2`)
  expect(json).toMatchObject({ pageSize: 20, pageNumber: 2, pageCount: 2, total: 30 })
  expect((json['entities'] as { id: string }[]).map(({ id }) => id)).toEqual(
    Array.from({ length: 10 }, (_, index) => `r-${9 - index}`),
  )
})

test.each(['pageSize=101', 'pageSize=0', 'pageNumber=0', 'pageNumber=x', 'status=COMPLETED'])(
  'refuses %s',
  async (query) => {
    expect((await (await connectClient(org)).send('GET', `${path}?${query}`)).status).toBe(400)
  },
)

test('refuses other methods, and clients without the permission', async () => {
  const client = await connectClient(org)
  expect((await client.send('POST', path, {})).status).toBe(405)
  const { id, secret } = org.control.addClient({ permissions: new Set(['analytics:conversationDetail:view']) })
  const { status, json } = await (await connectClient(org, id, secret)).send('GET', path)
  expect(status).toBe(403)
  expect(json['message']).toContain('gdpr:request:view')
})

test('takes only what the API documents', () => {
  const { gdprRequests } = org.control
  expect(() => gdprRequests.put({ ...request(1), status: 'DONE' as GdprRequest['status'] })).toThrow(RangeError)
  expect(() => gdprRequests.put({ ...request(1), subject: { phone: '1' } })).toThrow(RangeError)
})

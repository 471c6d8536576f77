import { describe, expect, test } from 'vitest'
import { readConversationActivity } from '../../src/genesys/conversation-activity.ts'
import { json } from '../support/fake-server.ts'
import { fakeGenesys, never } from './support.ts'

const sending = { priority: 'live', signal: never } as const
const entity = (conversationId: string, fields: object = {}): object => ({
  activityDate: '2026-11-26T06:00:00.000Z',
  metric: 'oWaiting',
  conversationId,
  sessionId: `s-${conversationId}`,
  mediaType: 'voice',
  queueId: 'q1',
  ...fields,
})
const group = (queueId: string, entities?: object[]): object => ({
  group: { queueId, mediaType: 'voice' },
  data: [{ metric: 'oWaiting', count: entities?.length ?? 0 }],
  ...(entities && { entities }),
})

/** Asks an API that answers with these pages, the last of them again and again. */
async function read(pages: readonly unknown[]): Promise<{ activity: ReadonlyMap<string, string>; requests: number }> {
  await using genesys = await fakeGenesys((request, all) =>
    json(request, pages[Math.min(all.length, pages.length) - 1]),
  )
  const activity = await readConversationActivity(genesys.client, sending)
  return { activity, requests: genesys.api().length }
}

describe('the conversation activity', () => {
  test('is asked for with its details, by queue and media type, page by page', async () => {
    await using genesys = await fakeGenesys((request, all) =>
      json(request, all.length === 1 ? { results: [group('q1', [entity('a')])] } : { results: [] }),
    )
    expect([...(await readConversationActivity(genesys.client, sending)).keys()]).toEqual(['a'])
    const requests = genesys.api()
    const path = '/api/v2/analytics/conversations/activity/query'
    expect(requests.map(({ method, url }) => `${method} ${url}`)).toEqual([
      `POST ${path}?pageSize=100&pageNumber=1`,
      `POST ${path}?pageSize=100&pageNumber=2`,
    ])
    expect(JSON.parse(requests[0]?.body ?? '')).toEqual({
      metrics: [
        { metric: 'oWaiting', details: true },
        { metric: 'oAlerting', details: true },
        { metric: 'oInteracting', details: true },
      ],
      groupBy: ['queueId', 'mediaType'],
    })
  })

  test.each([
    ['an empty list', { results: [] }],
    ['no list', {}],
    ['null', { results: null }],
  ])('ends with a page of %s, however short the pages before were', async (_what, end) => {
    const pages = [{ results: [group('q1', [entity('a')])] }, { results: [group('q2', [entity('b')])] }, end]
    const { activity, requests } = await read(pages)
    expect([...activity.keys()]).toEqual(['a', 'b'])
    expect(requests).toBe(3)
  })

  test('ends where the same page comes again', async () => {
    const { activity, requests } = await read([{ results: [group('q1', [entity('a')])] }])
    expect([...activity.keys()]).toEqual(['a'])
    expect(requests).toBe(2)
  })

  test('goes on where a queue is continued on the next page', async () => {
    const pages = [
      { results: [group('q1', [entity('a')])] },
      { results: [group('q1', [entity('b')])] },
      { results: [] },
    ]
    expect([...(await read(pages)).activity.keys()]).toEqual(['a', 'b'])
  })

  test('leaves out what has no id, and queues without entities', async () => {
    const page = { results: [7, {}, group('q0'), group('q1', [entity('a'), {}, { conversationId: 7 }, entity('')])] }
    expect([...(await read([page])).activity.keys()]).toEqual(['a'])
  })

  test('is the same text in whatever order it comes, and another one when anything of it changes', async () => {
    const ring = entity('a', { metric: 'oAlerting', userId: 'u1' })
    const textOf = async (...entities: object[]): Promise<string | undefined> =>
      (await read([{ results: [group('q1', entities)] }])).activity.get('a')
    const text = await textOf(entity('a'), ring)
    expect(await textOf(ring, entity('a'))).toBe(text)
    expect(await textOf(ring, entity('a'), entity('b'))).toBe(text)
    const others = [
      [entity('a')],
      [entity('a'), entity('a', { metric: 'oAlerting', userId: 'u2' })],
      [entity('a', { activityDate: '2026-11-26T06:00:01.000Z' }), ring],
      [entity('a', { queueId: 'q2' }), ring],
      [entity('a', { sessionId: 's2' }), ring],
    ]
    for (const entities of others) expect(await textOf(...entities)).not.toBe(text)
  })

  test.each([
    ['an error document', { message: 'broken', code: 'internal.error', status: 500 }],
    ['a list', []],
    ['null', null],
    ['results that are no list', { results: 'x' }],
  ])('%s is no page of it', async (_what, body) => {
    await expect(read([body])).rejects.toMatchObject({ code: 'GENESYS_BAD_ANSWER', kind: 'retryable' })
  })

  test('without the permission says which one to grant', async () => {
    await using genesys = await fakeGenesys((request) => json(request, { message: 'no' }, 403))
    await expect(readConversationActivity(genesys.client, sending)).rejects.toMatchObject({
      status: 403,
      hint: expect.stringContaining('analytics:queueObservation:view') as string,
    })
  })
})

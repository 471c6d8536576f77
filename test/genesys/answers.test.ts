import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { GenesysClient } from '../../src/genesys/client.ts'
import { queryAggregates } from '../../src/genesys/conversation-aggregates.ts'
import { entityList } from '../../src/genesys/entity-list.ts'
import { readByIds } from '../../src/genesys/details-by-id.ts'
import { probeOrganization } from '../../src/genesys/probes.ts'
import { readQueueUsers } from '../../src/genesys/queue-observations.ts'
import { readUserConversations } from '../../src/genesys/user-conversations.ts'
import { json } from '../support/fake-server.ts'
import { fakeGenesys, never } from './support.ts'

const sending = { priority: 'live', signal: never } as const
const errorDocument = { message: 'The server is busy', code: 'internal.server.error', status: 500 }

const halfHour = { start: new Date('2026-11-20T10:00Z'), end: new Date('2026-11-20T10:30Z') }
/** An answer to a question about nOffered by queue in that half hour. */
const aggregates = (value: object, interval = '2026-11-20T10:00:00.000Z/2026-11-20T10:30:00.000Z'): object => ({
  results: [{ group: { queueId: 'q1' }, data: [{ interval, metrics: [value] }] }],
})
const offered = { metric: 'nOffered', stats: { count: 3 } }

/** Every question but the details query, which has its own tests, with bodies that answer it and bodies that do not. */
const questions: [name: string, ask: (client: GenesysClient) => Promise<unknown>, good: unknown[], bad: unknown[]][] = [
  [
    'conversations by id',
    (client) => readByIds(client, ['a', 'b'], sending),
    [{ conversations: [{ conversationId: 'B' }] }, { conversations: [] }, {}],
    [
      { conversations: null },
      { conversations: {} },
      { conversations: [{ conversationId: 'c' }, { conversationId: 'd' }] },
    ],
  ],
  [
    "a user's conversations",
    (client) => readUserConversations(client, sending),
    [{ entities: [{ id: 'a' }], total: 1 }, { entities: [] }],
    [{ entities: null }, { entities: 'none' }, {}],
  ],
  [
    'a list of entities',
    (client) => entityList(client, '/api/v2/routing/queues', 'queues', sending),
    [{ entities: [{ id: 'a' }], pageCount: 1 }, { entities: [], pageCount: 0 }, { total: 0 }],
    [{ entities: null, total: 3 }, { total: 3, pageCount: 1 }, {}],
  ],
  [
    'observations of queues',
    (client) => readQueueUsers(client, ['a'], sending),
    [{ results: [] }, {}],
    [{ results: null }, { results: {} }],
  ],
  [
    'aggregates',
    (client) =>
      queryAggregates(
        client,
        { interval: halfHour, granularity: 'PT30M', groupBy: ['queueId'], metrics: ['nOffered'] },
        sending,
      ),
    [aggregates(offered), { results: [{ group: {}, data: [] }] }, { results: [] }, {}],
    [
      { results: null },
      { results: {} },
      { results: ['q1'] },
      aggregates({ metric: 'nOffered' }),
      aggregates({ metric: 'tAcd', stats: { count: 3 } }),
      aggregates({ metric: 'nOffered', stats: { count: 2.5 } }),
      aggregates({ metric: 'nOffered', stats: { count: '3' } }),
      aggregates(offered, '2026-11-19T10:00:00.000Z/2026-11-19T10:30:00.000Z'),
      aggregates(offered, 'yesterday'),
      { results: [...Object.values(aggregates(offered)), ...Object.values(aggregates(offered))].flat() },
      { results: [{ group: { queueId: 7 }, data: [] }] },
    ],
  ],
  [
    'the organization',
    (client) => probeOrganization(client, sending),
    [{ id: 'a', name: 'Example' }, { id: 'a' }],
    [{ name: 'Example' }, { id: 7 }, {}],
  ],
]

describe.each(questions)('%s', (_name, ask, good, bad) => {
  test('takes what is an answer at once', async () => {
    for (const body of good) {
      await using genesys = await fakeGenesys((request) => json(request, body))
      await ask(genesys.client)
      expect(genesys.api()).toHaveLength(1)
    }
  })

  test('asks again for what is none, and ends as a bad answer', async () => {
    for (const body of [...bad, errorDocument, [], null, 'text']) {
      await using genesys = await fakeGenesys((request) => json(request, body))
      await expect(ask(genesys.client), JSON.stringify(body)).rejects.toMatchObject({
        code: 'GENESYS_BAD_ANSWER',
        kind: 'retryable',
        hint: expect.stringContaining('proxy'),
      })
      expect(genesys.api()).toHaveLength(7)
    }
  })

  test('gets over an error document that passes', async () => {
    await using genesys = await fakeGenesys((request, all) => json(request, all.length < 3 ? errorDocument : good[0]))
    await ask(genesys.client)
    expect(genesys.api()).toHaveLength(3)
  })
})

test('a bad answer names the code of an error document, and nothing else of the body', async () => {
  await using genesys = await fakeGenesys((request) =>
    json(request, { ...errorDocument, message: 'for jane@example.com' }),
  )
  const failure = readByIds(genesys.client, ['a'], sending)
  await expect(failure).rejects.toThrow(
    /not a list of conversations: it is an error document \(internal.server.error, 500\)/,
  )
  await expect(failure).rejects.not.toThrow(/jane/)
})

test('conversations are asked for by id as often at once as the caller says', async () => {
  const ids = Array.from({ length: 200 }, (_, index) => `c${index}`)
  const held: (() => void)[] = []
  let running = 0
  let most = 0
  await using genesys = await fakeGenesys(async (request) => {
    most = Math.max(most, ++running)
    // Two must be under way at once: fewer, and this would wait for ever.
    if (held.length < 2) {
      const released = new Promise<void>((resolve) => held.push(resolve))
      if (held.length === 2) for (const release of held) release()
      await released
    }
    running--
    json(request, { conversations: [] })
  })
  await readByIds(genesys.client, ids, sending, 2)
  expect(genesys.api()).toHaveLength(4)
  expect(most).toBe(2)
})

describe('pages of entities', () => {
  const all = Array.from({ length: 130 }, (_, index) => ({ id: `e${index}` }))
  const read = async (size: number, counts: object, pageOf = (page: number) => page) => {
    await using genesys = await fakeGenesys((request) => {
      const page = pageOf(Number(new URL(request.url, 'http://org').searchParams.get('pageNumber')))
      json(request, { entities: all.slice((page - 1) * size, page * size), ...counts })
    })
    const list = await entityList(genesys.client, '/api/v2/routing/queues', 'queues', sending)
    return { ids: list.map(({ id }) => id), requests: genesys.api().length }
  }

  test.each([
    ['the number of pages', 25, { pageCount: 6 }, 6],
    ['the number of entities', 25, { total: 130 }, 6],
    ['nothing', 25, {}, 6],
    ['nothing, and the last page is full', 65, {}, 3],
  ])('smaller than asked for are all read where %s says so', async (_name, size, counts, requests) => {
    expect(await read(size, counts)).toEqual({ ids: all.map(({ id }) => id), requests })
  })

  test('of which each is the first one are a bad answer', async () => {
    await expect(read(25, { pageCount: 6 }, () => 1)).rejects.toMatchObject({ code: 'GENESYS_BAD_ANSWER' })
  })
})

test('conversations by id whose answer is too large are read in halves', async () => {
  const page = gzipSync(Buffer.alloc(70 * 1024 * 1024, 0x20))
  await using genesys = await fakeGenesys((request) => {
    const ids = new URL(request.url, 'http://org').searchParams.get('id')!.split(',')
    if (ids.length <= 2) return json(request, { conversations: ids.map((conversationId) => ({ conversationId })) })
    request.response.writeHead(200, { 'Content-Encoding': 'gzip' })
    request.response.end(page)
  })
  const ids = ['a', 'b', 'c', 'd', 'e']
  const records = await readByIds(genesys.client, ids, sending)
  expect(records.map(({ record }) => (record as { conversationId: string }).conversationId)).toEqual(ids)
})

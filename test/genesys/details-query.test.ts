import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import {
  buildDetailsQuery,
  estimateWindow,
  notExists,
  queryDetailsPage,
  within,
} from '../../src/genesys/details-query.ts'
import { conversations, scriptedOrg, window } from './scripted-org.ts'
import { never } from './support.ts'

const days = (count: number) => ({ start: window.start, end: new Date(window.start.getTime() + count * 86_400_000) })

describe('the body of a details query', () => {
  test('asks for a page of 100 in the order of starts', () => {
    expect(buildDetailsQuery(window, {}, { pageNumber: 3 })).toEqual({
      interval: '2026-11-20T00:00:00.000Z/2026-11-21T00:00:00.000Z',
      order: 'asc',
      orderBy: 'conversationStart',
      paging: { pageSize: 100, pageNumber: 3 },
    })
  })

  test('turns filters into predicates; empty ones are none', () => {
    const filter = { mediaTypes: ['voice', 'chat'], direction: 'inbound', minDurationSeconds: 30 } as const
    expect(buildDetailsQuery(window, filter, { pageNumber: 1 })).toMatchObject({
      conversationFilters: [
        {
          type: 'and',
          predicates: [
            { type: 'dimension', dimension: 'originatingDirection', operator: 'matches', value: 'inbound' },
            { type: 'metric', metric: 'tConversationDuration', range: { gte: 30_000 } },
          ],
        },
      ],
      segmentFilters: [
        {
          type: 'or',
          predicates: [
            { type: 'dimension', dimension: 'mediaType', operator: 'matches', value: 'voice' },
            { type: 'dimension', dimension: 'mediaType', operator: 'matches', value: 'chat' },
          ],
        },
      ],
    })
    const empty = buildDetailsQuery(window, { mediaTypes: [], minDurationSeconds: 0 }, { pageNumber: 1 })
    expect(Object.keys(empty)).toEqual(['interval', 'order', 'orderBy', 'paging'])
  })

  test('takes further predicates, on the conversation and within one segment', () => {
    const open = notExists('conversationEnd')
    const wrapup = [notExists('segmentEnd'), notExists('queueId')]
    expect(buildDetailsQuery(window, { conversation: [open], segments: [wrapup] }, { pageNumber: 1 })).toMatchObject({
      conversationFilters: [{ type: 'and', predicates: [open] }],
      segmentFilters: [{ type: 'and', predicates: wrapup }],
    })
  })

  test('takes predicates of which one must hold for an evaluation, a survey or a resolution', () => {
    const time = within('eventTime', window)
    const value = '2026-11-20T00:00:00.000Z/2026-11-21T00:00:00.000Z'
    expect(time).toEqual({ type: 'dimension', dimension: 'eventTime', operator: 'matches', value })
    const filter = { evaluation: [time], survey: [time, within('surveyCompletedDate', window)] }
    expect(buildDetailsQuery(days(31), filter, { pageNumber: 1 })).toMatchObject({
      evaluationFilters: [{ type: 'or', predicates: [time] }],
      surveyFilters: [{ type: 'or', predicates: [time, { dimension: 'surveyCompletedDate', value }] }],
    })
  })

  test('covers 7 days without a filter, 31 with one, and no more', () => {
    expect(() => buildDetailsQuery(days(7), {}, { pageNumber: 1 })).not.toThrow()
    expect(() => buildDetailsQuery(days(8), {}, { pageNumber: 1 })).toThrow(/longer than 7 days/)
    expect(() => buildDetailsQuery(days(31), { direction: 'outbound' }, { pageNumber: 1 })).not.toThrow()
    expect(() => buildDetailsQuery(days(32), { direction: 'outbound' }, { pageNumber: 1 })).toThrow(
      /longer than 31 days/,
    )
  })
})

test.each([
  [0, 1],
  [100, 1],
  [101, 2],
  [950, 10],
])('an estimate of %i hits is %i requests, for the price of one', async (hits, requests) => {
  await using org = await scriptedOrg(conversations(hits))
  expect(await estimateWindow(org.client, window, {}, { priority: 'history', signal: never })).toEqual({
    hits,
    requests,
  })
  expect(org.queries).toHaveLength(1)
})

describe('a page whose answer is too large', () => {
  const page = gzipSync(Buffer.alloc(70 * 1024 * 1024, 0x20))

  /** An org whose pages of more than `fits` conversations are too large. */
  const heavyOrg = (count: number, fits: number) =>
    scriptedOrg(conversations(count), {
      before(_org, { pageSize }, _number, { response }) {
        if (pageSize <= fits) return false
        response.writeHead(200, { 'Content-Encoding': 'gzip' })
        response.end(page)
        return true
      },
    })

  test('is read in smaller pages at the same place', async () => {
    await using org = await heavyOrg(150, 10)
    const options = { priority: 'history', signal: never } as const
    const ids = async (number: number) =>
      (await queryDetailsPage(org.client, window, {}, number, options)).conversations.map(
        (record) => (record as { conversationId: string }).conversationId,
      )
    expect(await ids(1)).toEqual(Array.from({ length: 100 }, (_, index) => `c${index}`))
    expect(await ids(2)).toEqual(Array.from({ length: 50 }, (_, index) => `c${index + 100}`))
    expect(await queryDetailsPage(org.client, window, {}, 2, options)).toMatchObject({ totalHits: 150, pageNumber: 2 })
  })

  test('is an error where not even one conversation fits', async () => {
    await using org = await heavyOrg(3, 0)
    await expect(
      queryDetailsPage(org.client, window, {}, 1, { priority: 'history', signal: never }),
    ).rejects.toMatchObject({ code: 'GENESYS_ANSWER_TOO_LARGE', kind: 'fatal' })
  })
})

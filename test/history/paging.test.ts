import { describe, expect, test } from 'vitest'
import { readWindow } from '../../src/history/read-window.ts'
import type { ReadWindowOptions } from '../../src/history/read-window.ts'
import { readOpen } from '../../src/genesys/open-conversations.ts'
import { json } from '../support/fake-server.ts'
import { limitInFlight } from '../../src/genesys/in-flight.ts'
import { conversations, day, scriptedOrg, splitOf, window } from '../genesys/scripted-org.ts'
import type { Held, OrgScript, ScriptedOrg } from '../genesys/scripted-org.ts'
import { never } from '../genesys/support.ts'

type Before = NonNullable<OrgScript['before']>

/** Reads the window; gives the outcome and the ids that were brought. */
async function read(
  org: ScriptedOrg,
  { concurrency = 4, ...changes }: Partial<ReadWindowOptions> & { readonly concurrency?: number } = {},
) {
  const brought = new Set<string>()
  const outcome = await readWindow(limitInFlight(org.client, concurrency), {
    window,
    filter: {},
    priority: 'history',
    signal: never,
    pauseMs: 1,
    async onPage({ conversations }) {
      for (const each of conversations) brought.add((each as { conversationId: string }).conversationId)
    },
    ...changes,
  })
  return { outcome: { ...outcome, split: splitOf(org, changes.window ?? window, 0) }, brought: [...brought].sort() }
}

const ids = (held: readonly Held[]): string[] => held.map(({ id }) => id!).sort()

/** What an API would answer whose pages are cut from these conversations. */
function answered(held: readonly Held[], totalHits: number): unknown {
  return {
    totalHits,
    conversations: held.map(({ id, start, end }) => ({
      conversationId: id,
      conversationStart: new Date(start).toISOString(),
      conversationEnd: new Date(end).toISOString(),
    })),
  }
}

/** Answers every page with what `page` gives for its number. */
function answering(page: (pageNumber: number, query: number) => unknown): Before {
  return (_org, { pageNumber }, number, request) => {
    json(request, page(pageNumber, number))
    return true
  }
}

describe('pages that are smaller than asked for', () => {
  test.each([
    [250, 50],
    [250, 99],
    [200, 99],
    [101, 100],
    [730, 7],
    [3, 1],
  ])('%i conversations, %i per page: all are read, in one read', async (count, mostPerPage) => {
    await using org = await scriptedOrg(conversations(count), { mostPerPage })
    const { outcome, brought } = await read(org)
    expect(outcome).toMatchObject({ status: 'done', distinct: count, reads: 1 })
    expect(brought).toEqual(ids(org.held))
  })

  test('go out in parallel once their size is known', async () => {
    const held: (() => void)[] = []
    await using org = await scriptedOrg(conversations(1000), {
      mostPerPage: 50,
      async before(_org, { pageNumber }) {
        if (pageNumber <= 10 || held.length === 4) return
        // Four must be under way at once: fewer, and this would wait for ever.
        const released = new Promise<void>((resolve) => held.push(resolve))
        if (held.length === 4) for (const release of held) release()
        await released
      },
    })
    expect((await read(org)).outcome).toMatchObject({ status: 'done', distinct: 1000 })
    expect(held).toHaveLength(4)
  })

  test('and no totalHits: reading goes on until a page is empty', async () => {
    const held = conversations(120)
    await using org = await scriptedOrg(held, {
      before: answering((pageNumber) => ({
        conversations: (answered(held.slice((pageNumber - 1) * 50, pageNumber * 50), 0) as { conversations: unknown })
          .conversations,
      })),
    })
    expect(await read(org)).toMatchObject({ outcome: { status: 'done', distinct: 120 }, brought: ids(held) })
  })

  test('a page in the middle that lacks a record ends nothing, and costs no page more', async () => {
    const held = conversations(300)
    await using org = await scriptedOrg(held, {
      before: answering((pageNumber) => {
        const page = held.slice((pageNumber - 1) * 100, pageNumber * 100)
        return answered(pageNumber === 2 ? page.slice(1) : page, 300)
      }),
    })
    const { outcome } = await read(org)
    expect(outcome).toMatchObject({ status: 'done', distinct: 299, reads: 2 })
  })
})

describe('reads that agree and lack much of totalHits', () => {
  test.each([
    ['3 of 253', 3],
    ['40 of 290', 40],
  ])('%s: unstable, with both numbers', async (_name, hitsOff) => {
    await using org = await scriptedOrg(conversations(250), { hitsOff })
    const { outcome, brought } = await read(org)
    expect(outcome).toMatchObject({
      status: 'unstable',
      reads: 3,
      instability: { code: 'WINDOW_INCOMPLETE', reason: expect.stringMatching(new RegExp(`${250 + hitsOff} .* 250$`)) },
    })
    expect(brought).toEqual(ids(org.held))
  })

  test('one in a thousand is tolerated', async () => {
    await using org = await scriptedOrg(conversations(4000), { hitsOff: 4 })
    expect((await read(org, { concurrency: 8 })).outcome).toMatchObject({ status: 'done', reads: 2, distinct: 4000 })
  })

  test('a page in the middle that stays empty', async () => {
    const held = conversations(250)
    await using org = await scriptedOrg(held, {
      before: answering((pageNumber) =>
        answered(pageNumber === 2 ? [] : held.slice((pageNumber - 1) * 100, pageNumber * 100), 250),
      ),
    })
    const { outcome } = await read(org)
    expect(outcome).toMatchObject({ status: 'unstable', instability: { reason: expect.stringMatching(/250.*150/) } })
  })

  test('records of another day do not make up for what is missing', async () => {
    const held = conversations(250)
    const otherDay = conversations(100, (index) => {
      const start = day - 5 * 86_400_000 + index
      return { id: `other-${index}`, start, end: start + 1000 }
    })
    await using org = await scriptedOrg(held, {
      before: answering((pageNumber) =>
        answered(pageNumber === 2 ? otherDay : held.slice((pageNumber - 1) * 100, pageNumber * 100), 250),
      ),
    })
    const { outcome } = await read(org)
    expect(outcome).toMatchObject({ status: 'unstable', instability: { reason: expect.stringMatching(/250.*150/) } })
  })
})

describe('answers that cannot be right', () => {
  const bad = { code: 'GENESYS_BAD_ANSWER', kind: 'retryable' }
  const held = conversations(250)
  const moved = (days: number): Held[] =>
    held.map(({ id, start, end }) => ({ id: id!, start: start + days * 86_400_000, end: end + days * 86_400_000 }))

  test('every page is the first one', async () => {
    await using org = await scriptedOrg([], { before: answering(() => answered(held.slice(0, 100), 250)) })
    await expect(read(org)).rejects.toMatchObject({
      ...bad,
      message: expect.stringMatching(/2026-11-20T00:00:00.000Z.*250 conversations.*100 came.*repeat/),
    })
  })

  test('one page more than there is, and it repeats the first one', async () => {
    await using org = await scriptedOrg([], { before: answering(() => answered(held.slice(0, 100), 101)) })
    await expect(read(org)).rejects.toMatchObject(bad)
  })

  test.each([-1, 1, -400])('the records of the day that is %i days apart', async (days) => {
    const others = moved(days)
    await using org = await scriptedOrg([], {
      before: answering((page) => answered(others.slice((page - 1) * 100, page * 100), 250)),
    })
    await expect(read(org)).rejects.toMatchObject({ ...bad, message: expect.stringMatching(/250 .*none of the 250/) })
  })

  test('they are read again, and a good answer counts', async () => {
    await using org = await scriptedOrg(held, {
      before(_org, _query, number, request) {
        if (number > 3) return false
        json(request, answered(held.slice(0, 100), 250))
        return true
      },
    })
    expect(await read(org)).toMatchObject({ outcome: { status: 'done', reads: 1 }, brought: ids(held) })
  })

  test('hits, and nothing on any page', async () => {
    for (const list of [[], undefined, null]) {
      await using org = await scriptedOrg([], { before: answering(() => ({ totalHits: 250, conversations: list })) })
      await expect(read(org)).rejects.toMatchObject({
        ...bad,
        message: expect.stringMatching(/250.*(first page is empty|null)/),
      })
      // The attempts of one request, not whole reads.
      expect(org.queries).toHaveLength(7)
    }
  })

  test('an error document, and what else is no page', async () => {
    const bodies: unknown[] = [
      { message: 'The server is busy', code: 'internal.server.error', status: 500, contextId: 'c', details: [] },
      { conversations: null },
      { conversations: {}, totalHits: 3 },
      {},
      [],
      null,
      'text',
      7,
    ]
    for (const body of bodies) {
      await using org = await scriptedOrg([], { before: answering(() => body) })
      await expect(read(org)).rejects.toMatchObject({ ...bad, message: expect.stringContaining('2026-11-20') })
      expect(org.queries).toHaveLength(7)
    }
  })

  test('a temporary error document costs an attempt', async () => {
    await using org = await scriptedOrg(held, {
      before(_org, _query, number, request) {
        if (number % 2 === 0) return false
        json(request, { message: 'busy', code: 'service.unavailable', status: 503 })
        return true
      },
    })
    expect(await read(org, { concurrency: 1 })).toMatchObject({ outcome: { status: 'done' }, brought: ids(held) })
  })

  test('nothing and no hits is an empty day, in every form that a page has', async () => {
    for (const body of [
      { totalHits: 0 },
      { conversations: [] },
      { conversations: [], totalHits: 0 },
      { conversations: null, totalHits: 0 },
    ]) {
      await using org = await scriptedOrg([], { before: answering(() => body) })
      expect((await read(org)).outcome).toMatchObject({ status: 'done', hits: 0, distinct: 0 })
    }
  })

  test('a quiet day that has only what began before it', async () => {
    const overMidnight: Held = { id: 'old', start: day - 1000, end: day + 1000 }
    await using org = await scriptedOrg([overMidnight])
    expect((await read(org)).outcome).toMatchObject({ status: 'done', distinct: 1, startingInside: 0 })
  })
})

describe('a limit of paging that only the API knows', () => {
  test.each([
    ['Pagination may not exceed 300 results.', 300],
    ['Pagination may not exceed 1,000 results. Tip: query in smaller intervals, e.g. 1am-2am, then 2am-3am', 1000],
    ['Pagination may not exceed 250 results', 250],
    ['Pagination may not exceed 100 results', 100],
    ['Pagination may not exceed 40 results', 40],
    ['The pagination must not exceed 200 records', 200],
  ])('%s', async (refusal, paginationLimit) => {
    await using org = await scriptedOrg(conversations(1270), { paginationLimit, refusal })
    const { outcome, brought } = await read(org)
    expect(outcome).toMatchObject({ status: 'done', split: 'time', distinct: 1270 })
    expect(brought).toEqual(ids(org.held))
  })

  test('where the API selects by day, predicates split it', async () => {
    const mixed = conversations(900, (index) => ({
      direction: index % 2 === 0 ? 'inbound' : 'outbound',
      mediaType: ['voice', 'chat', 'email', 'message'][index % 4]!,
      divisionIds: [`d${index % 3}`],
    }))
    await using org = await scriptedOrg(mixed, { reading: 'day', paginationLimit: 200, divisions: ['d0', 'd1', 'd2'] })
    const { outcome, brought } = await read(org)
    expect(outcome).toMatchObject({ status: 'done', split: 'predicate', distinct: 900 })
    expect(brought).toEqual(ids(mixed))
  })

  test('a server that gives half pages and counts whole ones', async () => {
    await using org = await scriptedOrg(conversations(900), { paginationLimit: 400, mostPerPage: 50 })
    const { outcome, brought } = await read(org)
    expect(outcome).toMatchObject({ status: 'done', split: 'time', distinct: 900 })
    expect(brought).toEqual(ids(org.held))
  })

  test('where nothing splits it, the day fails with its reason, and few requests', async () => {
    await using org = await scriptedOrg(conversations(900), { reading: 'day', paginationLimit: 200 })
    await expect(read(org)).rejects.toMatchObject({
      code: 'GENESYS_WINDOW_TOO_LARGE',
      message: expect.stringMatching(/900 conversations.*200 at most/),
    })
    expect(org.queries.length).toBeLessThan(60)
  })

  test('another 400 is not one', async () => {
    await using org = await scriptedOrg(conversations(900), {
      before(_org, { pageNumber }, _number, request) {
        if (pageNumber === 1) return false
        json(request, { message: 'pageSize may not exceed 25 results', code: 'bad.request', status: 400 }, 400)
        return true
      },
    })
    await expect(read(org)).rejects.toMatchObject({ code: 'GENESYS_BAD_REQUEST' })
  })
})

describe('open conversations', () => {
  const sending = { priority: 'live', signal: never } as const
  const openIds = async (org: ScriptedOrg): Promise<string[]> => {
    const records = await readOpen(org.client, window, sending)
    return [...new Set(records.map(({ record }) => (record as { conversationId: string }).conversationId))].sort()
  }
  /** Answers as the organization would, whatever the filter, from what `held` is. */
  const unfiltered = (held: readonly Held[], size: number, totalHits = held.length): Before =>
    answering((page) => answered(held.slice((page - 1) * size, page * size), totalHits))

  test.each([
    [250, 50],
    [250, 99],
    [200, 99],
    [30, 7],
  ])('%i, of which %i come per page: all are read', async (count, size) => {
    const held = conversations(count)
    await using org = await scriptedOrg([], { before: unfiltered(held, size) })
    expect(await openIds(org)).toEqual(ids(held))
  })

  test('what the API refuses to page through is an error that says so', async () => {
    await using org = await scriptedOrg([], {
      before(_org, { pageNumber }, _number, request) {
        if (pageNumber > 1) json(request, { message: 'Pagination may not exceed 200 results.', status: 400 }, 400)
        else json(request, answered(conversations(100), 250))
        return true
      },
    })
    await expect(openIds(org)).rejects.toMatchObject({
      code: 'GENESYS_TOO_MANY_OPEN',
      message: expect.stringMatching(/250 open conversations.*200 at most/),
    })
  })

  test.each<[string, Before, RegExp]>([
    ['every page is the first one', answering(() => answered(conversations(100), 250)), /250 .*repeats/],
    [
      'the pages after the first are empty',
      answering((page) => answered(page === 1 ? conversations(100) : [], 250)),
      /250 .*pages have 100/,
    ],
    ['no page has any', answering(() => ({ totalHits: 250 })), /250.*first page is empty/],
    ['an error document', answering(() => ({ message: 'busy', code: 'busy', status: 503 })), /error document/],
  ])('%s: a bad answer', async (_name, before, message) => {
    await using org = await scriptedOrg([], { before })
    await expect(openIds(org)).rejects.toMatchObject({
      code: 'GENESYS_BAD_ANSWER',
      message: expect.stringMatching(message),
    })
    expect(org.queries.length).toBeLessThan(12)
  })

  test('a few that ended while they were read are no bad answer', async () => {
    const held = conversations(250)
    await using org = await scriptedOrg([], {
      before: answering((page, number) => {
        const left = number === 1 ? held : held.slice(8)
        return answered(left.slice((page - 1) * 100, page * 100), 250)
      }),
    })
    expect((await openIds(org)).length).toBeGreaterThan(240)
  })
})

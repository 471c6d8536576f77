import { describe, expect, test } from 'vitest'
import { readWindow } from '../../src/history/read-window.ts'
import type { ReadWindowOptions } from '../../src/history/read-window.ts'
import { buildDetailsQuery } from '../../src/genesys/details-query.ts'
import { limitInFlight } from '../../src/genesys/in-flight.ts'
import { conversations, day, scriptedOrg, splitOf, window } from '../genesys/scripted-org.ts'
import type { Held, OrgScript, ScriptedOrg } from '../genesys/scripted-org.ts'
import { never } from '../genesys/support.ts'
import { countReachable } from '../support/garbage.ts'

/** Reads the window; gives the outcome and every id that was brought. */
async function read(
  org: ScriptedOrg,
  { concurrency = 4, ...changes }: Partial<ReadWindowOptions> & { readonly concurrency?: number } = {},
) {
  const brought = new Map<string, number>()
  let pagesRead = 0
  const outcome = await readWindow(limitInFlight(org.client, concurrency), {
    window,
    filter: {},
    priority: 'history',
    signal: never,
    pauseMs: 1,
    async onPage({ conversations }) {
      pagesRead++
      for (const each of conversations) {
        const { conversationId } = each as { conversationId?: string }
        if (conversationId !== undefined) brought.set(conversationId, (brought.get(conversationId) ?? 0) + 1)
      }
    },
    ...changes,
  })
  const filters = buildDetailsQuery(window, changes.filter ?? {}, { pageNumber: 1 })
  const predicates = [...(filters.conversationFilters ?? []), ...(filters.segmentFilters ?? [])].flatMap(
    (each) => each.predicates,
  )
  const split = splitOf(org, changes.window ?? window, predicates.length)
  return { outcome: { ...outcome, pagesRead, split }, brought }
}

const ids = (held: readonly Held[]): string[] => held.map(({ id }) => id!).sort()
const keys = (brought: ReadonlyMap<string, unknown>): string[] => [...brought.keys()].sort()
const small = { wholeUpTo: 250, deepest: 1000 }

test('holds no page that it has passed on, however many requests are still waiting', async () => {
  await using org = await scriptedOrg(conversations(2500))
  const pages: WeakRef<object>[] = []
  const reachable: number[] = []
  await read(org, {
    concurrency: 2,
    async onPage({ conversations }) {
      pages.push(new WeakRef(conversations))
      reachable.push(await countReachable(pages))
    },
  })
  expect(pages).toHaveLength(25)
  // of two requests at once
  expect(Math.max(...reachable)).toBeLessThan(4)
})

describe('a window that does not change', () => {
  test.each([
    [0, 1, 0],
    [1, 1, 1],
    [99, 1, 1],
    [100, 2, 1],
    [101, 2, 2],
    [250, 3, 3],
  ])('%i conversations are done after one read of %i requests', async (count, requests, pagesRead) => {
    await using org = await scriptedOrg(conversations(count))
    const { outcome, brought } = await read(org)
    const expected = { status: 'done', hits: count, distinct: count, startingInside: count, reads: 1 }
    expect(outcome).toMatchObject({ ...expected, requests, pagesRead })
    expect(keys(brought)).toEqual(ids(org.held))
    expect(org.queries).toHaveLength(requests)
  })

  test('what lies outside the window is brought but not counted as inside', async () => {
    const before: Held = { id: 'over-midnight', start: day - 1000, end: day + 1000 }
    await using org = await scriptedOrg([before, ...conversations(3)])
    const { outcome, brought } = await read(org)
    expect(outcome).toMatchObject({ status: 'done', hits: 4, distinct: 4, startingInside: 3 })
    expect(brought.has('over-midnight')).toBe(true)
  })

  test('records without a usable id count by their content', async () => {
    await using org = await scriptedOrg(
      conversations(150, (index) => (index % 50 === 0 ? ({ id: undefined } as never) : {})),
    )
    expect((await read(org)).outcome).toMatchObject({ status: 'done', distinct: 150, reads: 1 })
  })

  test('pages go out in parallel, as many as allowed and no more', async () => {
    const held: (() => void)[] = []
    let most = 0
    await using org = await scriptedOrg(conversations(1690), {
      async before(_org, { pageNumber }) {
        if (pageNumber === 1) return
        const released = new Promise<void>((resolve) => held.push(resolve))
        most = Math.max(most, held.length)
        // Sixteen pages come in four groups of four: fewer at once, and this would wait for ever.
        if (held.length === 4) setImmediate(() => held.splice(0).forEach((release) => release()))
        await released
      },
    })
    expect((await read(org)).outcome.status).toBe('done')
    expect(most).toBe(4)
  })

  test('progress ends with as many requests done as planned', async () => {
    await using org = await scriptedOrg(conversations(950))
    const seen: { requestsDone: number; requestsPlanned: number }[] = []
    const { outcome } = await read(org, { onProgress: (progress) => seen.push(progress) })
    expect(seen.at(-1)).toEqual({ requestsDone: 10, requestsPlanned: 10 })
    expect(outcome.requests).toBe(10)
    for (const { requestsDone, requestsPlanned } of seen) expect(requestsDone).toBeLessThanOrEqual(requestsPlanned)
  })
})

describe('totalHits that is always off', () => {
  test.each([2, -2, -3, -40])('totalHits that is off by %i: two reads that agree are enough', async (hitsOff) => {
    await using org = await scriptedOrg(conversations(220), { hitsOff })
    const { outcome, brought } = await read(org)
    expect(outcome).toMatchObject({ status: 'done', distinct: 220, reads: 2 })
    expect(keys(brought)).toEqual(ids(org.held))
  })

  test('so low that whole pages are beyond it: reading goes on while pages are full', async () => {
    await using org = await scriptedOrg(conversations(520), { hitsOff: -320 })
    const { outcome, brought } = await read(org)
    expect(outcome).toMatchObject({ status: 'done', distinct: 520 })
    expect(keys(brought)).toEqual(ids(org.held))
  })

  test('a server that repeats a full page endlessly does not block the read', async () => {
    const page = Array.from({ length: 100 }, (_, index) => ({ conversationId: `same-${index}` }))
    await using org = await scriptedOrg([], {
      before(_org, _query, _number, { response }) {
        response.end(JSON.stringify({ conversations: page, totalHits: 100 }))
        return true
      },
    })
    const { outcome } = await read(org)
    expect(outcome).toMatchObject({ status: 'done', distinct: 100, requests: 2 })
  })

  test('an answer without totalHits is read on, twice', async () => {
    const all = conversations(150)
    await using org = await scriptedOrg(all, {
      before(_org, { pageNumber }, _number, { response }) {
        const found = all.slice((pageNumber - 1) * 100, pageNumber * 100).map(({ id, start }) => ({
          conversationId: id,
          conversationStart: new Date(start).toISOString(),
        }))
        response.end(JSON.stringify({ conversations: found }))
        return true
      },
    })
    const { outcome, brought } = await read(org)
    expect(outcome).toMatchObject({ status: 'done', distinct: 150, startingInside: 150, reads: 2 })
    expect(brought.size).toBe(150)
  })
})

describe('a window that changes while it is read', () => {
  /** One page after the other, so that the script knows what has been read. */
  const inOrder = { concurrency: 1 }
  const late = (id: string, at: number): Held => ({ id, start: day + at, end: day + at + 1000 })
  const remove = (org: { held: Held[] }, id: string): void => {
    org.held = org.held.filter((each) => each.id !== id)
  }

  const changes: [name: string, change: (org: { held: Held[] }) => void, script?: Partial<OrgScript>][] = [
    ['a removal before our position, which makes a record slip by', (org) => remove(org, 'c5')],
    ['an insertion before our position, which repeats a record', (org) => org.held.push(late('late', 1))],
    ['an insertion behind us', (org) => org.held.push(late('late', 80_000_000))],
    ['a removal behind us', (org) => remove(org, 'c240')],
    [
      'records that change places',
      (org) => {
        org.held = org.held.map((each) => (each.id === 'c150' ? { ...each, start: day + 5 } : each))
      },
    ],
  ]
  test.each(changes)('a window that changes while it is read is complete in the end: %s', async (_name, change) => {
    await using org = await scriptedOrg(conversations(250), {
      before(org, _query, number) {
        if (number === 2) change(org)
      },
    })
    const { outcome, brought } = await read(org, inOrder)
    expect(outcome.status).toBe('done')
    expect(outcome.reads).toBeGreaterThan(1)
    expect(keys(brought)).toEqual(expect.arrayContaining(ids(org.held)))
  })

  test('a removal and an insertion that cancel out between two pages show in nothing, so the next nights read again', async () => {
    const script: OrgScript = {
      before(org, _query, number) {
        if (number !== 2) return
        remove(org, 'c5')
        org.held.push(late('late', 80_000_000))
      },
    }
    await using org = await scriptedOrg(conversations(250), script)
    expect((await read(org, inOrder)).brought.has('c100')).toBe(false)
    expect(keys((await read(org, inOrder)).brought)).toEqual(expect.arrayContaining(ids(org.held)))
  })

  test('one that never rests is unstable after three reads, and all that was seen is brought', async () => {
    await using org = await scriptedOrg(conversations(250), {
      before: (org, _query, number) => void org.held.push(late(`late-${number}`, number)),
    })
    const { outcome, brought } = await read(org, inOrder)
    expect(outcome).toMatchObject({
      status: 'unstable',
      reads: 3,
      instability: { code: 'WINDOW_CHANGING', reason: expect.stringContaining('still changing after 3 reads') },
    })
    expect(outcome.distinct).toBe(brought.size)
    expect(brought.size).toBeGreaterThan(255)
  })

  test('changes outside the window do not matter', async () => {
    await using org = await scriptedOrg(conversations(50), {
      before(org, _query, number) {
        const outside: Held = { id: `outside-${number}`, start: day - 5000, end: day + 5000 }
        org.held = [outside, ...conversations(50)]
      },
      hitsOff: 1,
    })
    expect((await read(org, inOrder)).outcome).toMatchObject({ status: 'done', startingInside: 50, reads: 2 })
  })
})

describe('a window with too many hits', () => {
  test('is read in halves where the API selects by time', async () => {
    await using org = await scriptedOrg(conversations(900), { reading: 'overlap' })
    const { outcome, brought } = await read(org, { limits: small })
    expect(outcome).toMatchObject({ status: 'done', split: 'time', hits: 900, distinct: 900, startingInside: 900 })
    expect(keys(brought)).toEqual(ids(org.held))
    expect(Math.max(...org.queries.map(({ pageNumber }) => pageNumber))).toBeLessThanOrEqual(3)
  })

  test('halves that overlap in long conversations still bring each once into the count', async () => {
    const long = conversations(900, (index) => (index % 10 === 0 ? { start: day + index, end: day + 80_000_000 } : {}))
    await using org = await scriptedOrg(long, { reading: 'overlap' })
    const { outcome, brought } = await read(org, { limits: small })
    expect(outcome).toMatchObject({ status: 'done', split: 'time', distinct: 900, startingInside: 900 })
    expect(keys(brought)).toEqual(ids(org.held))
  })

  test('all in one busy hour: it is halved until the parts are small', async () => {
    const hour = conversations(900, (index) => ({
      start: day + 36_000_000 + index * 4000,
      end: day + 36_000_000 + index * 4000,
    }))
    await using org = await scriptedOrg(hour, { reading: 'overlap' })
    const { outcome, brought } = await read(org, { limits: small })
    expect(outcome).toMatchObject({ status: 'done', split: 'time', distinct: 900 })
    expect(keys(brought)).toEqual(ids(org.held))
  })

  test('where the API gives the whole day, predicates split it, as deep as it needs', async () => {
    const mixed = conversations(2400, (index) => {
      const mediaType = ['voice', 'chat', 'email', undefined][index % 4]
      const queueIds = mediaType === 'voice' && index % 8 === 0 ? [`q${Math.floor(index / 8) % 3}`, 'q3'] : []
      return {
        direction: ['inbound', 'outbound', undefined][Math.floor(index / 4) % 3],
        mediaType,
        divisionIds: [`d${Math.floor(index / 100) % 5}`],
        queueIds,
      } as Partial<Held>
    })
    await using org = await scriptedOrg(mixed, {
      reading: 'day',
      divisions: ['d0', 'd1', 'd2', 'd3', 'd4'],
      queues: ['q0', 'q1', 'q2', 'q3'],
    })
    const { outcome, brought } = await read(org, { limits: { wholeUpTo: 150, deepest: 1000 } })
    expect(outcome).toMatchObject({
      status: 'done',
      split: 'predicate',
      hits: 2400,
      distinct: 2400,
      startingInside: 2400,
    })
    expect(keys(brought)).toEqual(ids(org.held))
    for (const { filters } of org.queries) {
      const dimensions = filters.flatMap(({ predicates }) => predicates.map(({ dimension }) => dimension))
      expect(new Set(dimensions).size).toBe(dimensions.length)
    }
    expect(Math.max(...org.queries.map(({ pageNumber }) => pageNumber))).toBeLessThanOrEqual(3)
  })

  test('queues of which there are many pages split, conversations without a queue included', async () => {
    const queues = Array.from({ length: 130 }, (_, index) => `q${index}`)
    await using org = await scriptedOrg(
      conversations(700, (index) => ({ queueIds: index % 7 === 0 ? [] : [queues[index % 130]!] })),
      { reading: 'day', queues },
    )
    const { outcome, brought } = await read(org, { limits: small, concurrency: 8 })
    expect(outcome).toMatchObject({ status: 'done', split: 'predicate', distinct: 700 })
    expect(keys(brought)).toEqual(ids(org.held))
  })

  test('where nothing splits it, it is read whole as long as the API pages so deep', async () => {
    await using org = await scriptedOrg(conversations(900), { reading: 'day' })
    const { outcome, brought } = await read(org, { limits: small })
    expect(outcome).toMatchObject({ status: 'done', distinct: 900, split: undefined })
    expect(keys(brought)).toEqual(ids(org.held))
  })

  test('beyond that it fails, with the day, the reason and what to do', async () => {
    await using org = await scriptedOrg(conversations(1100), { reading: 'day' })
    await expect(read(org, { limits: small })).rejects.toMatchObject({
      code: 'GENESYS_WINDOW_TOO_LARGE',
      kind: 'fatal',
      message: expect.stringMatching(/2026-11-20T00:00:00.000Z.*1100 conversations.*neither time/),
      hint: expect.stringContaining('HISTORY_MEDIA_TYPES'),
    })
  })

  test.each([
    [60, undefined],
    [150, 'predicate'],
  ])('parts that leave out one in %i are noticed, and the whole is read', async (oneIn, split) => {
    const newMedia = conversations(900, (index) => ({
      mediaType: ['voice', 'chat', 'hologram'][index % oneIn === 0 ? 2 : index % 2]!,
    }))
    await using org = await scriptedOrg(newMedia, { reading: 'day' })
    const { outcome, brought } = await read(org, { limits: small })
    // Many are noticed by counting, before anything is read in vain; a few only afterwards.
    expect(outcome).toMatchObject({ status: 'done', distinct: 900, split })
    expect(keys(brought)).toEqual(ids(org.held))
  })

  test('parts that leave conversations out of what is too deep to read whole are unstable', async () => {
    const newMedia = conversations(1200, (index) => ({
      mediaType: ['voice', 'chat', 'hologram'][index % 200 === 0 ? 2 : index % 2]!,
    }))
    await using org = await scriptedOrg(newMedia, { reading: 'day' })
    const { outcome } = await read(org, { limits: small })
    expect(outcome).toMatchObject({
      status: 'unstable',
      distinct: 1194,
      instability: { code: 'WINDOW_INCOMPLETE', reason: expect.stringMatching(/1200 .*6 conversations fewer.*1194/) },
    })
  })

  test('a filter for direction and media types stays in force', async () => {
    const mixed = conversations(900, (index) => ({
      direction: index % 2 === 0 ? 'inbound' : 'outbound',
      mediaType: ['voice', 'chat', 'email'][index % 3]!,
    }))
    await using org = await scriptedOrg(mixed, { reading: 'day' })
    const filter = { direction: 'inbound', mediaTypes: ['voice', 'chat'] } as const
    const { outcome, brought } = await read(org, { limits: small, filter })
    expect(outcome).toMatchObject({ status: 'done', split: 'predicate', distinct: 300 })
    const wanted = org.held.filter(({ direction, mediaType }) => direction === 'inbound' && mediaType !== 'email')
    expect(keys(brought)).toEqual(ids(wanted))
  })

  test('a window of several days is cut at midnight, under both readings', async () => {
    for (const reading of ['overlap', 'day'] as const) {
      const days = conversations(900, (index) => {
        const start = day + index * 300_000
        return { start, end: start }
      })
      await using org = await scriptedOrg(days, { reading })
      const { outcome, brought } = await read(org, {
        window: { start: new Date(day), end: new Date(day + 4 * 86_400_000) },
        limits: { wholeUpTo: 300, deepest: 1000 },
      })
      expect(outcome).toMatchObject({ status: 'done', split: 'time', distinct: 900, startingInside: 900 })
      expect(keys(brought)).toEqual(ids(org.held))
    }
  })
})

describe('a window in parts', () => {
  const noonOf = day + 43_200_000

  test('is unstable when one of its parts is, whichever it is', async () => {
    for (const restless of ['first', 'last']) {
      await using org = await scriptedOrg(conversations(300), {
        before(org, { from, to, pageSize }, number) {
          const isRestless = restless === 'first' ? to <= noonOf : from >= noonOf
          const start = restless === 'first' ? day + number : noonOf + number
          if (isRestless && pageSize > 1) org.held.push({ id: `late-${number}`, start, end: start })
        },
      })
      const { outcome } = await read(org, { limits: small, concurrency: 1 })
      expect(outcome).toMatchObject({
        split: 'time',
        status: 'unstable',
        instability: { code: 'WINDOW_CHANGING', reason: expect.stringContaining('still changing') },
      })
    }
  })
})

describe('a query that takes too long', () => {
  const slow: OrgScript['before'] = (_org, { from, to, pageSize }, _number, { response }) => {
    if (to - from < 86_400_000 || pageSize === 1) return false
    response.writeHead(504)
    response.end('<html>gateway time-out</html>')
    return true
  }

  test('is tried in smaller parts', async () => {
    await using org = await scriptedOrg(conversations(300), { before: slow })
    const { outcome, brought } = await read(org)
    expect(outcome).toMatchObject({ status: 'done', split: 'time', distinct: 300 })
    expect(keys(brought)).toEqual(ids(org.held))
  })

  test('a query that takes too long is split into smaller parts only once', async () => {
    await using org = await scriptedOrg(conversations(300), {
      before(_org, { pageSize }, _number, { response }) {
        if (pageSize === 1) return false
        response.writeHead(504)
        response.end()
        return true
      },
    })
    await expect(read(org)).rejects.toMatchObject({ code: 'GENESYS_TIMEOUT', kind: 'retryable' })
    expect(org.queries.length).toBeLessThan(10)
  })
})

describe('failures', () => {
  test('a page that fails ends the reading, and no request is in flight afterwards', async () => {
    await using org = await scriptedOrg(conversations(1000), {
      before(_org, { pageNumber }, _number, { response }) {
        if (pageNumber !== 3) return false
        response.writeHead(400, { 'Content-Type': 'application/json' })
        response.end(JSON.stringify({ message: 'no such page', code: 'bad.request' }))
        return true
      },
    })
    let running = 0
    const work = read(org, {
      async onPage() {
        running++
        await new Promise((resolve) => setImmediate(resolve))
        running--
      },
    })
    await expect(work).rejects.toMatchObject({ status: 400, message: expect.stringContaining('no such page') })
    expect(running).toBe(0)
    expect(org.queries.length).toBeLessThan(10)
  })

  test('an error of onPage is thrown as it is', async () => {
    await using org = await scriptedOrg(conversations(500))
    const full = new Error('disk full')
    await expect(read(org, { onPage: () => Promise.reject(full) })).rejects.toBe(full)
  })

  test('an abort is thrown as its reason', async () => {
    const abort = new AbortController()
    const reason = new Error('SIGTERM')
    await using org = await scriptedOrg(conversations(1000), {
      before: (_org, { pageNumber }) => void (pageNumber === 3 && abort.abort(reason)),
    })
    await expect(read(org, { signal: abort.signal })).rejects.toBe(reason)
  })

  test('an answer that is no page is for later', async () => {
    for (const body of ['[]', '{"conversations": 5}', '"text"', 'null']) {
      await using org = await scriptedOrg([], {
        before(_org, _query, _number, { response }) {
          response.end(body)
          return true
        },
      })
      await expect(read(org)).rejects.toMatchObject({ code: 'GENESYS_BAD_ANSWER', kind: 'retryable' })
    }
  })
})

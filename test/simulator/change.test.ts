import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startSimulator } from '../../src/simulator/server.ts'
import type { Simulator } from '../../src/simulator/contract.ts'
import type { Json } from '../../src/simulator/conversation-plan.ts'
import { connectClient, interval, type HttpClient } from './http-client.ts'

const now = '2026-03-20T10:30:00Z'
const yesterday = interval('2026-03-19', '2026-03-20')
const today = interval('2026-03-20', '2026-03-21')
const ids = (records: readonly Json[]): unknown[] => records.map(({ conversationId }) => conversationId)
let org: Simulator
let client: HttpClient
beforeEach(async () => {
  org = await startSimulator({ seed: 4, now, perDay: 250, exactPerDay: true, days: 2, malformedShare: 0 })
  client = await connectClient(org)
})
afterEach(() => org.close())

const one = (id: string): Json => org.truth().find(({ conversationId }) => conversationId === id) ?? {}
const isOpen = (conversation: Json): boolean => !('conversationEnd' in conversation)

describe('the clock', () => {
  test('shows nothing that has not happened yet', () => {
    const instants =
      org
        .truthText('2026-03-20')
        .join('')
        .match(/(?<="(?:conversation|segment)(?:Start|End)":"|"emitDate":")[^"]+/g) ?? []
    expect(instants.length).toBeGreaterThan(500)
    expect(instants.filter((instant) => Date.parse(instant) > Date.parse(now))).toEqual([])
  })

  test('lets open conversations continue and end, and new ones begin', async () => {
    const before = await client.readAll(today)
    const open = before.filter(isOpen)
    expect(open.length).toBeGreaterThan(2)
    org.control.clock.advance(3_600_000)
    const after = await client.readAll(today)
    expect(after).toEqual(org.truth('2026-03-20'))
    expect(after.length).toBeGreaterThan(before.length)
    const over = new Set(ids(after.filter((each) => !isOpen(each))))
    expect(ids(open).filter((id) => over.has(id)).length).toBeGreaterThan(0)
    org.control.clock.advance(60 * 86_400_000)
    expect(org.truth('2026-03-20').filter(isOpen)).toEqual([])
    expect(org.truth('2026-03-20').length).toBe(250)
  })

  test('many small steps lead to the same state as one large step', async () => {
    await using leap = await startSimulator({
      seed: 4,
      now,
      perDay: 250,
      exactPerDay: true,
      days: 2,
      malformedShare: 0,
    })
    for (let i = 0; i < 24; i++) {
      org.control.clock.advance(3_600_000)
      org.truthText()
    }
    leap.control.clock.advance(86_400_000)
    expect(org.truthText()).toEqual(leap.truthText())
  })

  test('can run fast', async () => {
    await using fast = await startSimulator({ seed: 4, now, clockSpeed: 10_000, perDay: 50, days: 0 })
    const start = fast.control.clock.now()
    await expect.poll(() => fast.control.clock.now() - start).toBeGreaterThan(3_600_000)
  })

  test('brings evaluations later, first pending and then finished', () => {
    const evaluations = (): Json[] =>
      ['2026-03-18', '2026-03-19'].flatMap((day) =>
        org.truth(day).flatMap((each) => (each['evaluations'] ?? []) as Json[]),
      )
    const pending = evaluations().find((each) => each['evaluationStatus'] === 'Pending')
    expect(pending).toBeDefined()
    org.control.clock.advance(40 * 86_400_000)
    const later = evaluations().filter((each) => each['evaluationId'] === pending?.['evaluationId'])
    expect(later).toMatchObject([{ evaluationStatus: 'Finished' }])
  })

  test('reopens threads: their end disappears and appears again later', () => {
    const ends = new Map<unknown, unknown[]>()
    for (let i = 0; i < 24; i++) {
      for (const conversation of org.truth('2026-03-19')) {
        const known = ends.get(conversation['conversationId']) ?? []
        if (known.at(-1) !== conversation['conversationEnd'] || known.length === 0)
          known.push(conversation['conversationEnd'])
        ends.set(conversation['conversationId'], known)
      }
      org.control.clock.advance(3 * 3_600_000)
    }
    const reopened = [...ends.values()].filter((list) => list.filter((end) => end !== undefined).length > 1)
    expect(reopened.length).toBeGreaterThan(0)
    expect(reopened.some((list) => list.includes(undefined))).toBe(true)
  })
})

describe('a change on demand', () => {
  test('begins and ends a conversation', () => {
    const id = org.control.changes.begin('inboundCall')
    expect(isOpen(one(id))).toBe(true)
    org.control.clock.advance(20_000)
    org.control.changes.end(id)
    expect(one(id)['conversationEnd']).toBe('2026-03-20T10:30:20.000Z')
    expect(JSON.stringify(one(id)).match(/"segmentStart"/g)?.length).toBe(
      JSON.stringify(one(id)).match(/"segmentEnd"/g)?.length,
    )
  })

  test('adds, replaces, removes and restores one', async () => {
    const conversation = { conversationId: 'by-hand', conversationStart: '2026-03-19T05:00:00.000Z', xNote: 1 }
    org.control.changes.add(conversation)
    expect(one('by-hand')).toEqual(conversation)
    org.control.changes.replace('by-hand', { ...conversation, xNote: 2 })
    expect(one('by-hand')['xNote']).toBe(2)
    org.control.changes.remove('by-hand')
    expect(ids(await client.readAll(yesterday))).not.toContain('by-hand')
    org.control.changes.restore('by-hand')
    expect(await client.readAll(yesterday)).toEqual(org.truth('2026-03-19'))
  })

  test('adds late after-call work and an evaluation to an old conversation', () => {
    const old = org
      .truth('2026-03-18')
      .find((each) => !isOpen(each) && JSON.stringify(each).includes('"agent"')) as Json
    const id = String(old['conversationId'])
    org.control.changes.addWrapUp(id)
    const evaluationId = org.control.changes.addEvaluation(id)
    const changed = one(id)
    expect(changed['conversationEnd']).toBe('2026-03-20T10:30:00.000Z')
    expect(JSON.stringify(changed)).toContain('added late')
    expect(changed['evaluations']).toMatchObject(
      expect.arrayContaining([expect.objectContaining({ evaluationId })]) as object,
    )
  })

  test('reopens a thread that would be reopened by itself later, and nothing of the later rounds remains', async () => {
    await using threads = await startSimulator({ seed: 4, now, perDay: 0, days: 40, reopenedShare: 1 })
    const begun = Array.from({ length: 12 }, (_, i) =>
      threads.control.changes.begin('email', Date.parse(now) - i * 60_000),
    )
    const find = (id: string): Json => threads.truth().find(({ conversationId }) => conversationId === id) ?? {}
    threads.control.clock.advance(2 * 86_400_000)
    const id = begun.find((each) => !isOpen(find(each))) ?? ''
    const end = find(id)['conversationEnd']
    threads.control.changes.reopen(id)
    expect(isOpen(find(id))).toBe(true)
    threads.control.clock.advance(60_000)
    threads.control.changes.end(id)
    expect(find(id)['conversationEnd']).toBe('2026-03-22T10:31:00.000Z')
    expect(find(id)['conversationEnd']).not.toBe(end)
    const last = JSON.stringify(find(id))
    threads.control.clock.advance(60 * 86_400_000)
    expect(find(id)['conversationEnd']).toBe('2026-03-22T10:31:00.000Z')
    expect(JSON.stringify(find(id)).match(/"segmentStart"/g)).toHaveLength(last.match(/"segmentStart"/g)?.length ?? 0)
  })

  test('reopens a conversation and corrects a start', async () => {
    const old = org.truth('2026-03-18').find((each) => !isOpen(each)) as Json
    const id = String(old['conversationId'])
    org.control.changes.reopen(id)
    expect(isOpen(one(id))).toBe(true)
    org.control.clock.advance(60_000)
    org.control.changes.end(id)
    expect(one(id)['conversationEnd']).toBe('2026-03-20T10:31:00.000Z')
    org.control.changes.correctStart(id, '2026-03-19T00:30:00Z')
    expect(ids(org.truth('2026-03-18'))).not.toContain(id)
    expect(ids(await client.readAll(yesterday))).toContain(id)
    expect(await client.readAll(yesterday)).toEqual(org.truth('2026-03-19'))
  })
})

describe('paging that drifts', () => {
  const page = async (pageNumber: number): Promise<Json[]> =>
    ((await client.details({ interval: yesterday, paging: { pageSize: 100, pageNumber } })).json['conversations'] ??
      []) as Json[]
  const read = async (): Promise<unknown[]> => ids([...(await page(1)), ...(await page(2)), ...(await page(3))])

  test('misses a record when one before the position vanishes', async () => {
    const before = ids(org.truth('2026-03-19'))
    org.control.changes.drift({ after: 1, removeBefore: 1, restoreAfter: 2 })
    const found = await read()
    expect(found.length).toBe(249)
    expect(before.filter((id) => !found.includes(id))).toEqual([before[100]])
    expect(ids(org.truth('2026-03-19'))).toEqual(before)
    expect(await read()).toEqual(before)
  })

  test('repeats a record when one is inserted before the position', async () => {
    org.control.changes.drift({ after: 1, insertBefore: 1 })
    const found = await read()
    const truth = ids(org.truth('2026-03-19'))
    expect(truth.length).toBe(251)
    expect(found.length).toBe(251)
    expect(new Set(found).size).toBe(250)
    expect(found).not.toContain(truth[0])
  })

  test('hides both when they cancel out', async () => {
    org.control.changes.drift({ after: 1, insertBefore: 1, removeBefore: 1, interval: yesterday })
    const found = await read()
    expect(found.length).toBe(250)
    expect(new Set(found).size).toBe(250)
    expect(found).not.toEqual(ids(org.truth('2026-03-19')))
  })

  test('can report a wrong total, constant or random, and repeat records', async () => {
    org.control.set({ totalHitsOffset: 3 })
    const total = async (pageNumber: number): Promise<unknown> =>
      (await client.details({ interval: yesterday, paging: { pageSize: 100, pageNumber } })).json['totalHits']
    expect([await total(1), await total(2)]).toEqual([253, 253])
    org.control.set({ totalHitsOffset: 0, totalHitsJitter: 5 })
    const totals = [await total(1), await total(2), await total(3), await total(4)].map(Number)
    expect(new Set(totals).size).toBeGreaterThan(1)
    expect(totals.every((each) => Math.abs(each - 250) <= 5)).toBe(true)
    org.control.set({ totalHitsJitter: 0, duplicateShare: 0.1 })
    const found = await read()
    expect(new Set(found).size).toBeLessThan(found.length)
    expect(org.truth('2026-03-19').length).toBe(250)
  })
})

describe('the control API', () => {
  test('lets another process control the organization', async () => {
    const control = (method: string, path: string, body?: unknown) => client.send(method, `/_simulator/${path}`, body)
    const truth = await control('GET', 'truth?day=2026-03-19')
    expect(truth.text.trimEnd().split('\n')).toEqual(org.truthText('2026-03-19'))
    expect((await control('POST', 'clock', { advanceMs: 1_000 })).json['now']).toBe('2026-03-20T10:30:01.000Z')
    expect((await control('POST', 'clock', { now: '2026-03-20T11:00:00Z' })).json['now']).toBe(
      '2026-03-20T11:00:00.000Z',
    )
    await control('POST', 'faults', [{ on: 'details', kind: '503', nth: 1 }])
    expect((await client.details({ interval: yesterday })).status).toBe(503)
    await control('DELETE', 'faults')
    expect((await client.details({ interval: yesterday })).status).toBe(200)
    const requests = (await control('GET', 'requests')).json['requests'] as Json[]
    expect(requests.at(-1)).toMatchObject({
      endpoint: 'details',
      status: 200,
      interval: yesterday,
      pageNumber: 1,
      totalHits: 250,
    })
    expect((await control('GET', 'violations')).json).toEqual({ violations: 0 })
    const begun = await control('POST', 'change', { do: 'begin', kind: 'email', at: '2026-03-20T10:00:00Z' })
    expect(one(String(begun.json['id']))['conversationStart']).toBe('2026-03-20T10:00:00.000Z')
    expect((await control('POST', 'change', { do: 'end', id: 'nobody' })).status).toBe(400)
    expect((await control('GET', 'nothing')).status).toBe(404)
    await control('POST', 'revoke-tokens')
    expect((await client.details({ interval: yesterday })).status).toBe(401)
  })
})

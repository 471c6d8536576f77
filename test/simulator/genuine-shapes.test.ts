/** What genuine records of the API prove, held against what the simulator makes of it. */
import { afterAll, describe, expect, test } from 'vitest'
import { startSimulator } from '../../src/simulator/server.ts'
import type { Json } from '../../src/simulator/conversation-plan.ts'
import { connectClient } from './http-client.ts'

const hour = 3_600_000
const day = 24 * hour
const list = (value: unknown): Json[] => (value ?? []) as Json[]
const at = (instant: unknown): number => Date.parse(String(instant))

interface Seen {
  readonly conversation: Json
  readonly participant: Json
  readonly session: Json
  readonly segments: Json[]
  readonly metrics: Json[]
}

function sessionsOf(conversation: Json): Seen[] {
  return list(conversation['participants']).flatMap((participant) =>
    list(participant['sessions']).map((session) => ({
      conversation,
      participant,
      session,
      segments: list(session['segments']),
      metrics: list(session['metrics']),
    })),
  )
}
const purposeOf = ({ participant }: Seen): unknown => participant['purpose']
const segmentsOf = (conversation: Json): Json[] => sessionsOf(conversation).flatMap(({ segments }) => segments)
const valuesOf = ({ metrics }: Pick<Seen, 'metrics'>, name: string): number[] =>
  metrics.filter((metric) => metric['name'] === name).map((metric) => Number(metric['value']))
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
const lengthOf = ({ segmentStart, segmentEnd }: Json): number => at(segmentEnd) - at(segmentStart)
const lastEnd = (conversation: Json): number =>
  Math.max(...segmentsOf(conversation).map(({ segmentEnd }) => at(segmentEnd)))

/** Long after everything that began in its days is over, so that each record is as it remains. */
const over = Date.parse('2026-06-20T12:00:00Z')
const org = await startSimulator({
  seed: 21,
  now: '2026-03-20T00:00:00Z',
  perDay: 700,
  exactPerDay: true,
  days: 3,
  malformedShare: 0,
  rateLimit: { requestsPerMinute: Infinity },
})
org.control.clock.set(over)
const client = await connectClient(org)
const days = ['2026-03-17', '2026-03-18', '2026-03-19']
const history = days.flatMap((each) => org.truth(each))
const sessions = history.flatMap(sessionsOf)
afterAll(() => org.close())

/** One conversation as it was at an instant; by id, since that shows no other one. */
async function asOf(conversation: Json, instant: number): Promise<Json> {
  org.control.clock.set(instant)
  const { json } = await client.send(
    'GET',
    `/api/v2/analytics/conversations/${String(conversation['conversationId'])}/details`,
  )
  org.control.clock.set(over)
  return json
}

describe('the end of a conversation', () => {
  test('is the end of its last segment, after-call work included', () => {
    const wrong = history.filter((each) => at(each['conversationEnd']) !== lastEnd(each))
    expect(wrong.map(({ conversationId }) => conversationId)).toEqual([])
    const afterCustomer = history.filter((each) => {
      const ends = sessionsOf(each)
        .filter((seen) => purposeOf(seen) === 'customer')
        .flatMap(({ segments }) => segments)
      return ends.length > 0 && at(each['conversationEnd']) > Math.max(...ends.map(({ segmentEnd }) => at(segmentEnd)))
    })
    expect(afterCustomer.length).toBeGreaterThan(history.length / 4)
  })

  test('is absent during after-call work, which is an open segment or none until it is over', async () => {
    let open = 0
    let hidden = 0
    for (const conversation of history.slice(0, 400)) {
      const wrapUp = segmentsOf(conversation).find(
        (segment) =>
          segment['segmentType'] === 'wrapup' &&
          lengthOf(segment) > 20_000 &&
          at(segment['segmentEnd']) === lastEnd(conversation),
      )
      if (!wrapUp || open + hidden > 12) continue
      const during = await asOf(conversation, at(wrapUp['segmentStart']) + 5_000)
      expect(during).not.toHaveProperty('conversationEnd')
      const unfinished = segmentsOf(during).filter(({ segmentEnd }) => segmentEnd === undefined)
      if (unfinished.length > 0) {
        expect(unfinished.map(({ segmentType }) => segmentType)).toEqual(['wrapup'])
        open++
      } else hidden++
      const working = sessionsOf(during).filter(
        (seen) =>
          purposeOf(seen) === 'agent' && seen.session['acwSkipped'] !== true && valuesOf(seen, 'tHandle').length === 0,
      )
      expect(working.length).toBeGreaterThan(0)
      const after = await asOf(conversation, at(wrapUp['segmentEnd']))
      expect(after['conversationEnd']).toBe(wrapUp['segmentEnd'])
      expect(segmentsOf(after)).toHaveLength(segmentsOf(conversation).length)
    }
    expect(open).toBeGreaterThan(1)
    expect(hidden).toBeGreaterThan(1)
  })

  test('can lie some milliseconds after the beginning of the first segment', () => {
    const early = history.map(
      (each) =>
        at(each['conversationStart']) - Math.min(...segmentsOf(each).map(({ segmentStart }) => at(segmentStart))),
    )
    expect(early.filter((milliseconds) => milliseconds > 0).length).toBeGreaterThan(20)
    expect(Math.max(...early)).toBeLessThanOrEqual(20)
  })
})

describe('threads', () => {
  /** Stretches without any segment between two rounds: [end, start of the next]. */
  function pausesOf(conversation: Json): [number, number][] {
    const sorted = segmentsOf(conversation)
      .map(({ segmentStart, segmentEnd }) => [at(segmentStart), at(segmentEnd)] as const)
      .toSorted(([a], [b]) => a - b)
    const pauses: [number, number][] = []
    let end = sorted[0]?.[1] ?? 0
    for (const [start, until] of sorted) {
      if (start - end >= 60_000) pauses.push([end, start])
      end = Math.max(end, until)
    }
    return pauses
  }
  const mediaOf = (conversation: Json): Set<unknown> =>
    new Set(
      sessionsOf(conversation)
        .filter((seen) => purposeOf(seen) === 'customer')
        .map(({ session }) => session['mediaType']),
    )

  test.each([
    ['message', 3 * day],
    ['email', 30 * day],
  ])('of %s are reopened again and again, over weeks, within the limit of each disconnect', async (medium, limit) => {
    const threads = history.filter((each) => mediaOf(each).has(medium) && pausesOf(each).length > 0)
    const all = history.filter((each) => mediaOf(each).has(medium))
    expect(threads.length / all.length).toBeGreaterThan(0.04)
    expect(threads.length / all.length).toBeLessThan(0.2)
    expect(Math.max(...threads.map((each) => pausesOf(each).length))).toBeGreaterThan(3)
    expect(Math.max(...threads.flatMap((each) => pausesOf(each).map(([from, to]) => to - from)))).toBeLessThanOrEqual(
      limit,
    )
    const ages = threads.map((each) => at(each['conversationEnd']) - at(each['conversationStart']))
    expect(Math.max(...ages)).toBeGreaterThan(medium === 'email' ? 20 * day : 4 * day)
    for (const thread of threads.slice(0, 4))
      for (const [end, again] of pausesOf(thread)) {
        expect(at((await asOf(thread, Math.floor((end + again) / 2)))['conversationEnd'])).toBe(end)
        expect(await asOf(thread, again + 5)).not.toHaveProperty('conversationEnd')
      }
  })

  test('can be switched off and be the rule', async () => {
    const settings = { seed: 3, now: '2026-03-20T00:00:00Z', perDay: 120, days: 1, malformedShare: 0 }
    const reopened = async (reopenedShare: number): Promise<number> => {
      await using threads = await startSimulator({ ...settings, reopenedShare })
      threads.control.clock.advance(90 * day)
      return threads
        .truth('2026-03-19')
        .filter((each) => (mediaOf(each).has('message') || mediaOf(each).has('email')) && pausesOf(each).length > 0)
        .length
    }
    expect(await reopened(0)).toBe(0)
    expect(await reopened(1)).toBeGreaterThan(10)
  })

  test('of messages count as inactive 72 hours after what happened last, as far as that is known', async () => {
    const thread = history.find((each) => mediaOf(each).has('message') && pausesOf(each).length > 1) as Json
    const [first] = pausesOf(thread)
    const [end, again] = first as [number, number]
    expect(at((await asOf(thread, end + 1))['inactivityTimeout'])).toBe(end + 72 * hour)
    expect(at((await asOf(thread, again + 1))['inactivityTimeout'])).toBe(again + 72 * hour)
  })
})

describe('metrics', () => {
  test('of callbacks are those of any session, and the calling besides', () => {
    const handled = sessions.filter(
      (seen) => seen.session['mediaType'] === 'callback' && valuesOf(seen, 'tHandle').length > 0,
    )
    expect(handled.length).toBeGreaterThan(20)
    for (const seen of handled) {
      const complete = sum(valuesOf(seen, 'tTalkComplete'))
      expect(sum(valuesOf(seen, 'tTalk'))).toBe(complete)
      expect(sum(valuesOf(seen, 'tHandle'))).toBe(complete + sum(valuesOf(seen, 'tAcw')))
    }
    const calling = handled.filter((seen) => valuesOf(seen, 'tActiveCallback').length > 0)
    expect(calling.length).toBeGreaterThan(10)
    for (const seen of calling) {
      expect(valuesOf(seen, 'tActiveCallbackComplete')).toEqual([sum(valuesOf(seen, 'tActiveCallback'))])
      expect(sum(valuesOf(seen, 'tActiveCallbackComplete'))).toBeLessThan(sum(valuesOf(seen, 'tTalkComplete')))
    }
  })

  test('know no abandon of messages: who leaves while waiting has nOffered and tAcd only', () => {
    const queued = sessions.filter((seen) => purposeOf(seen) === 'acd' && seen.session['mediaType'] === 'message')
    expect(queued.filter((seen) => valuesOf(seen, 'tAbandon').length > 0)).toEqual([])
    const left = queued.filter(({ segments }) => segments.at(-1)?.['disconnectType'] === 'peer')
    expect(left.length).toBeGreaterThan(0)
    for (const { metrics } of left) expect(metrics.map(({ name }) => name)).toEqual(['nOffered', 'tAcd'])
    expect(sessions.filter((seen) => valuesOf(seen, 'tAbandon').length > 0).length).toBeGreaterThan(20)
  })

  test('know none either where a waiting message is ended', () => {
    org.control.clock.set(Date.parse('2026-03-25T12:00:00Z'))
    const waits = (id: string): boolean =>
      org
        .truth('2026-03-25')
        .some(
          (each) =>
            each['conversationId'] === id &&
            sessionsOf(each).some(
              (seen) => purposeOf(seen) === 'acd' && seen.segments.at(-1)?.['segmentEnd'] === undefined,
            ),
        )
    for (let tries = 0; tries < 40; tries++) {
      const id = org.control.changes.begin('message', org.control.clock.now())
      const waiting = Array.from({ length: 30 }).some(() => {
        org.control.clock.advance(5_000)
        return waits(id)
      })
      if (!waiting) continue
      org.control.changes.end(id)
      const ended = org.truth('2026-03-25').find(({ conversationId }) => conversationId === id) as Json
      org.control.clock.set(over)
      const [queued] = sessionsOf(ended).filter((seen) => purposeOf(seen) === 'acd')
      expect(queued?.metrics.map(({ name }) => name)).toEqual(['nOffered', 'tAcd'])
      return
    }
    expect.unreachable('no message waited in a queue')
  })

  test('of answers are at the side that answers', () => {
    const answering = (name: string): Set<unknown> =>
      new Set(sessions.filter((seen) => valuesOf(seen, name).length > 0).map(purposeOf))
    expect(answering('tUserResponseTime')).toEqual(new Set(['customer']))
    expect(answering('tAgentResponseTime')).toEqual(new Set(['agent']))
  })

  test('of dialing are part of the handling of an agent, or of a campaign', () => {
    const dialing = sessions.filter(
      (seen) => [...valuesOf(seen, 'tDialing'), ...valuesOf(seen, 'tContacting')].length > 0,
    )
    expect(new Set(dialing.map(purposeOf))).toEqual(new Set(['agent', 'user', 'outbound']))
  })

  test('differ from segments by seconds', () => {
    const differing = sessions.filter((seen) => {
      const wrapUps = seen.segments.filter(({ segmentType }) => segmentType === 'wrapup')
      return purposeOf(seen) === 'agent' && sum(wrapUps.map(lengthOf)) - sum(valuesOf(seen, 'tAcw')) >= 1_000
    })
    expect(differing.length).toBeGreaterThan(100)
    for (const { metrics, segments } of differing.slice(0, 50)) {
      const emitted = at(metrics.find(({ name }) => name === 'tAcw')?.['emitDate'])
      expect(emitted).toBeLessThan(at(segments.at(-1)?.['segmentEnd']))
    }
    const menus = sessions.filter((seen) => valuesOf(seen, 'tIvr').length > 0)
    expect(menus.some((seen) => sum(valuesOf(seen, 'tFlow')) < sum(valuesOf(seen, 'tIvr')))).toBe(true)
  })

  test('of agents who did not answer can have tAcw and tHandle, and their alert can end with `client`', () => {
    const silent = sessions.filter((seen) => valuesOf(seen, 'tNotResponding').length > 0)
    const endings = new Set(
      silent.map(({ segments }) => segments.find(({ segmentType }) => segmentType === 'alert')?.['disconnectType']),
    )
    expect(endings).toEqual(new Set(['client', 'noAnswerTransfer']))
    const handled = silent.filter((seen) => valuesOf(seen, 'tHandle').length > 0)
    expect(handled.length).toBeGreaterThan(5)
    for (const seen of handled) {
      expect(valuesOf(seen, 'tHandle')).toEqual(valuesOf(seen, 'tAcw'))
      expect([valuesOf(seen, 'nError'), valuesOf(seen, 'tAnswered'), valuesOf(seen, 'tTalk')]).toEqual([[1], [], []])
    }
  })

  test('of messages that were answered automatically have tAnswered and no tAlert', () => {
    const automatic = sessions.filter(
      (seen) => valuesOf(seen, 'tAnswered').length > 0 && valuesOf(seen, 'tAlert').length === 0,
    )
    expect(automatic.length).toBeGreaterThan(20)
    expect(new Set(automatic.map(({ session }) => session['mediaType']))).toEqual(new Set(['message', 'email']))
  })
})

describe('queues', () => {
  const queuesOf = (segments: readonly Json[]): unknown[] =>
    segments.map((segment) => segment['queueId']).filter((id) => id !== undefined)

  test('several can be served by one participant of an agent', () => {
    const agents = history.flatMap((each) => list(each['participants'])).filter(({ purpose }) => purpose === 'agent')
    const several = agents.filter(
      (agent) => new Set(list(agent['sessions']).flatMap(({ segments }) => queuesOf(list(segments)))).size > 1,
    )
    expect(several.length).toBeGreaterThan(3)
  })

  test("the first one is on the customer's segments, wherever the contact went", () => {
    let transferred = 0
    for (const conversation of history) {
      const seen = sessionsOf(conversation)
      if (!seen.some((each) => valuesOf(each, 'nBlindTransferred').length > 0)) continue
      const queued = seen.filter((each) => purposeOf(each) === 'acd')
      const customer = new Set(
        queuesOf(seen.filter((each) => purposeOf(each) === 'customer').flatMap(({ segments }) => segments)),
      )
      expect(customer).toEqual(new Set(queuesOf(queued[0]?.segments ?? []).slice(0, 1)))
      if (new Set(queuesOf(queued.flatMap(({ segments }) => segments))).size > 1) transferred++
    }
    expect(transferred).toBeGreaterThan(20)
  })

  test('have their flow on the acd session, without exit and without metrics of flows', () => {
    const inQueue = sessions.filter((seen) => purposeOf(seen) === 'acd' && seen.session['flow'] !== undefined)
    const types = inQueue.map(({ session }) => (session['flow'] as Json)['flowType'])
    expect(new Set(types)).toEqual(new Set(['INQUEUECALL', 'INQUEUESHORTMESSAGE']))
    for (const seen of inQueue) {
      expect(seen.session['flow']).not.toHaveProperty('exitReason')
      expect([...valuesOf(seen, 'nFlow'), ...valuesOf(seen, 'tFlow')]).toEqual([])
    }
  })
})

test('written contacts are on hold whenever another one interrupts', () => {
  const held = sessions.filter((seen) => seen.session['mediaType'] === 'message' && valuesOf(seen, 'tHeld').length > 2)
  expect(held.length).toBeGreaterThan(10)
})

test('closing fields can arrive late', async () => {
  const settings = { seed: 21, now: '2026-03-20T00:00:00Z', perDay: 100, days: 1, malformedShare: 0 } as const
  await using late = await startSimulator({ ...settings, closingDelayMs: 5 * 60_000 })
  const find = (id: unknown): Json => late.truth('2026-03-19').find(({ conversationId }) => conversationId === id) ?? {}
  const names = (conversation: Json): unknown[] =>
    sessionsOf(conversation).flatMap(({ metrics }) => metrics.map(({ name }) => name))
  const ended = late
    .truth('2026-03-19')
    .find((each) => each['conversationEnd'] !== undefined && names(each).includes('tAcw')) as Json
  const text = JSON.stringify(ended)
  expect(text).toContain('"wrapUpCode"')
  late.control.clock.set(lastEnd(ended) + 1_000)
  const fresh = find(ended['conversationId'])
  expect(fresh['conversationEnd']).toBe(ended['conversationEnd'])
  expect(names(fresh)).not.toContain('tAcw')
  expect(JSON.stringify(fresh)).not.toContain('"wrapUpCode"')
  late.control.clock.set(lastEnd(ended) + 5 * 60_000)
  expect(names(find(ended['conversationId']))).toEqual(names(ended))
  late.control.clock.set(lastEnd(ended) + 1_000)
  late.control.set({ closingDelayMs: 0 })
  expect(names(find(ended['conversationId']))).toContain('tAcw')
})

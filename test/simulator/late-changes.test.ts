import { describe, expect, test } from 'vitest'
import { REALISTIC_LATE_CHANGES, type LateChangeShares } from '../../src/simulator/late-changes.ts'
import type { Json } from '../../src/simulator/conversation-plan.ts'
import { startSimulator, type Simulator, type SimulatorOptions } from '../../src/simulator/server.ts'
import { connectClient, interval } from './http-client.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const now = '2026-03-20T12:00:00Z'
const firstDay = '2026-03-20'

const none: LateChangeShares = { corrected: 0, moved: 0, removed: 0, evaluated: 0, surveyed: 0 }

/** An organization whose first day is today. */
const start = (shares: Partial<LateChangeShares>, options: SimulatorOptions = {}): Promise<Simulator> =>
  startSimulator({
    seed: 8,
    now,
    days: 0,
    perDay: 150,
    exactPerDay: true,
    malformedShare: 0,
    lateChanges: { ...none, ...shares },
    ...options,
  })

interface Version {
  /** The first instant at which it was shown, in milliseconds. */
  readonly at: number
  readonly json: Json | undefined
}

/** Lets days pass and notes what is shown of each conversation that started on the first day, whenever it changes. */
function watch(org: Simulator, days: number, stepMs = HOUR): Map<string, Version[]> {
  const versions = new Map<string, Version[]>()
  const texts = new Map<string, string>()
  for (let passed = 0; passed < days * DAY; passed += stepMs) {
    org.control.clock.advance(stepMs)
    const at = org.control.clock.now()
    const shown = new Map(org.truth(firstDay).map((json) => [String(json['conversationId']), json]))
    for (const id of new Set([...shown.keys(), ...texts.keys()])) {
      const json = shown.get(id)
      const text = json ? JSON.stringify(json) : ''
      if (texts.get(id) === text) continue
      texts.set(id, text)
      versions.set(id, [...(versions.get(id) ?? []), { at, json }])
    }
  }
  return versions
}

const endOf = (json: Json | undefined): number => Date.parse(String(json?.['conversationEnd']))
/** Without what people add later: evaluations, surveys and resolutions. */
function withoutFollowUps(json: Json | undefined): string {
  const { evaluations: _e, surveys: _s, resolutions: _r, ...rest } = json ?? {}
  return JSON.stringify(rest)
}

describe('late changes', () => {
  test('are none unless asked for, and leave the conversations as they are until they happen', async () => {
    await using plain = await startSimulator({ seed: 8, now, days: 2, perDay: 150, exactPerDay: true })
    await using changing = await startSimulator({
      seed: 8,
      now,
      days: 2,
      perDay: 150,
      exactPerDay: true,
      lateChanges: { ...REALISTIC_LATE_CHANGES, removed: 0, evaluated: 0, surveyed: 0 },
    })
    expect(changing.truthText(firstDay)).toEqual(plain.truthText(firstDay))
    changing.control.clock.advance(10 * DAY)
    plain.control.clock.advance(10 * DAY)
    expect(changing.truthText(firstDay)).not.toEqual(plain.truthText(firstDay))
  })

  test('rewrite metrics and segments two to four days after an end', async () => {
    await using org = await start({ corrected: 1 }, { reopenedShare: 0 })
    org.control.clock.advance(12 * HOUR)
    const corrections = [...watch(org, 6).values()].flatMap((list) =>
      list.flatMap(({ at, json }, index) => {
        const before = list[index - 1]?.json
        const isCorrected = before && at - endOf(before) > DAY && withoutFollowUps(before) !== withoutFollowUps(json)
        return isCorrected ? [{ age: at - endOf(before), before, json }] : []
      }),
    )
    expect(corrections.length).toBeGreaterThan(40)
    expect(corrections.filter(({ age }) => age < 48 * HOUR || age > 96 * HOUR)).toEqual([])
    const segments = (json: Json | undefined): number => JSON.stringify(json).split('"segmentStart"').length
    const metrics = (json: Json | undefined): number => JSON.stringify(json).split('"emitDate"').length
    expect(corrections.some(({ before, json }) => segments(json) > segments(before))).toBe(true)
    expect(corrections.some(({ before, json }) => metrics(json) > metrics(before))).toBe(true)
    expect(corrections.some(({ before, json }) => endOf(json) < endOf(before))).toBe(true)
  })

  test('bring evaluations and surveys up to 25 days after an end, with the time of the event', async () => {
    await using org = await start({ evaluated: 1, surveyed: 1 }, { reopenedShare: 0 })
    org.control.clock.advance(12 * HOUR)
    const ages: number[] = []
    for (const list of watch(org, 27, 6 * HOUR).values()) {
      for (const [index, { at, json }] of list.entries()) {
        for (const name of ['evaluations', 'surveys'] as const) {
          const known = JSON.stringify(list[index - 1]?.json?.[name] ?? [])
          for (const event of (json?.[name] ?? []) as Json[]) {
            if (known.includes(JSON.stringify(event))) continue
            const happened = Date.parse(String(event['eventTime']))
            if (index === 0) continue
            expect(at - happened).toBeGreaterThanOrEqual(0)
            expect(at - happened).toBeLessThanOrEqual(6 * HOUR)
            ages.push(happened - endOf(json))
          }
        }
      }
    }
    expect(ages.length).toBeGreaterThan(100)
    expect(Math.max(...ages)).toBeGreaterThan(20 * DAY)
    expect(Math.max(...ages)).toBeLessThanOrEqual(25 * DAY)
  })

  test('move starts, also to the day before, and a query finds each conversation once, where it is now', async () => {
    await using org = await start({ moved: 1 }, { days: 2 })
    const before = new Map(
      [...org.truth('2026-03-18'), ...org.truth('2026-03-19')].map((json) => [json['conversationId'], json]),
    )
    const client = await connectClient(org)
    expect(await client.readAll(interval('2026-03-18', '2026-03-19'))).toEqual(org.truth('2026-03-18'))
    org.control.clock.advance(6 * DAY)
    for (const day of ['2026-03-17', '2026-03-18', '2026-03-19']) {
      const next = new Date(Date.parse(day) + DAY).toISOString().slice(0, 10)
      const found = await client.readAll(interval(day, next))
      expect(found).toEqual(org.truth(day))
      expect(found.every(({ conversationStart }) => String(conversationStart).startsWith(day))).toBe(true)
    }
    const all = org.truth().filter(({ conversationId }) => before.has(conversationId))
    expect(all.length).toBe(before.size)
    const moved = all.filter(
      ({ conversationId, conversationStart }) =>
        conversationStart !== before.get(conversationId)?.['conversationStart'],
    )
    expect(moved.length).toBeGreaterThan(before.size * 0.8)
    expect(org.truth('2026-03-17').length).toBeGreaterThan(10)

    // the same where the days are asked for only after everything has happened, and in another order
    await using late = await start({ moved: 1 }, { days: 8, now: '2026-03-26T12:00:00Z' })
    expect(late.truthText('2026-03-18')).toEqual(org.truthText('2026-03-18'))
  })

  test('delete conversations within 40 days', async () => {
    await using org = await start({ removed: 1 }, { reopenedShare: 0 })
    org.control.clock.advance(12 * HOUR)
    const count = (): number => org.truth(firstDay).length
    const counts = Array.from({ length: 42 }, () => {
      org.control.clock.advance(DAY)
      return count()
    })
    expect(counts[0]).toBeGreaterThan(130)
    expect(counts[20]).toBeGreaterThan(30)
    expect(counts[20]).toBeLessThan(120)
    expect(counts.at(-1)).toBe(0)
  })

  test('end when nothing happens any more, though the clock goes on', async () => {
    await using org = await start(REALISTIC_LATE_CHANGES)
    org.control.clock.advance(3 * DAY)
    org.control.set({ nothingHappensAfter: org.control.clock.now() })
    const before = org.truthText()
    org.control.clock.advance(10 * DAY)
    expect(org.truthText()).toEqual(before)
    const client = await connectClient(org)
    expect(await client.readAll(interval('2026-03-26', '2026-03-27'))).toEqual([])
  })
})

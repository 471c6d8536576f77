import { expect, test } from 'vitest'
import { metricNames } from '../../src/model/metric-names.ts'
import { CONVERSATION_METRICS } from '../../src/simulator/dimensions.ts'
import { startSimulator } from '../../src/simulator/server.ts'

const known = new Map(metricNames.map((metric) => [metric.name, metric]))

test('each name is there once, with the unit that its first letter says', () => {
  expect(known.size).toBe(metricNames.length)
  for (const { name, unit, meaning, emitted } of metricNames) {
    expect(name).toMatch(/^[tno][A-Z]/)
    expect(unit).toBe(name.startsWith('t') ? 'ms' : 'count')
    expect(meaning).toMatch(/\.$/)
    expect(emitted).not.toBe('')
  }
})

test('every metric that the API can filter by is in the dictionary', () => {
  expect([...CONVERSATION_METRICS].filter((name) => !known.has(name))).toEqual([])
})

test('every metric that the simulator emits is in it, on a participant that it names', async () => {
  await using org = await startSimulator({
    seed: 7,
    now: '2026-03-20T00:00:00Z',
    perDay: 600,
    exactPerDay: true,
    days: 3,
    malformedShare: 0,
  })
  const emitted = new Map<string, Set<string>>()
  for (const { participants } of org.truth() as unknown as Conversation[])
    for (const { purpose, sessions } of participants)
      for (const { metrics = [] } of sessions)
        for (const { name } of metrics) emitted.set(name, (emitted.get(name) ?? new Set()).add(purpose))
  expect(emitted.size).toBeGreaterThan(40)
  const wrong = [...emitted].flatMap(([name, purposes]) => {
    const metric = known.get(name)
    if (!metric) return [`${name} is not in the dictionary`]
    const carriers = metric.carrier.split(', ')
    if (metric.carrier.startsWith('any') || metric.carrier.includes('not proven')) return []
    return [...purposes].filter((purpose) => !carriers.includes(purpose)).map((purpose) => `${name} on ${purpose}`)
  })
  expect(wrong).toEqual([])
})

interface Conversation {
  readonly participants: {
    readonly purpose: string
    readonly sessions: { readonly metrics?: { readonly name: string }[] }[]
  }[]
}

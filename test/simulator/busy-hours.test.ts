import { expect, test } from 'vitest'
import type { Json } from '../../src/simulator/conversation-plan.ts'
import { startSimulator } from '../../src/simulator/server.ts'

const DAYS = ['2026-03-17', '2026-03-18', '2026-03-19']
const options = {
  seed: 7,
  now: '2026-03-20T12:00:00Z',
  perDay: 400,
  exactPerDay: true,
  days: 4,
  malformedShare: 0,
  utcOffsetHours: -6,
}
const list = (value: unknown): Json[] => (value ?? []) as Json[]

interface Calls {
  readonly waits: (readonly [hour: number, seconds: number])[]
  abandoned: number
}

/** The calls of each queue: how long they waited, at which local hour, and how many gave up. */
async function callsByQueue(busyHours: boolean): Promise<Map<string, Calls>> {
  await using org = await startSimulator({ ...options, busyHours })
  const calls = new Map(org.org.queues.map(({ id }): [string, Calls] => [id, { waits: [], abandoned: 0 }]))
  for (const conversation of DAYS.flatMap((day) => org.truth(day))) {
    const acd = list(conversation['participants']).filter(({ purpose }) => purpose === 'acd')
    for (const session of acd.flatMap((participant) => list(participant['sessions']))) {
      const queueId = list(session['segments']).find(({ queueId }) => queueId)?.['queueId']
      const ofQueue = calls.get(String(queueId))
      if (session['mediaType'] !== 'voice' || !ofQueue) continue
      for (const { name, value, emitDate } of list(session['metrics'])) {
        const hour = (new Date(String(emitDate)).getUTCHours() + 18) % 24
        if (name === 'tAcd') ofQueue.waits.push([hour, Number(value) / 1000])
        if (name === 'tAbandon') ofQueue.abandoned++
      }
    }
  }
  return new Map(org.org.queues.map(({ id, name }) => [name, calls.get(id)!]))
}

const mean = (waits: readonly (readonly [number, number])[]): number =>
  waits.reduce((sum, [, seconds]) => sum + seconds, 0) / waits.length

const median = (waits: readonly (readonly [number, number])[]): number =>
  waits.map(([, seconds]) => seconds).toSorted((a, b) => a - b)[Math.floor(waits.length / 2)]!

test('with busy hours one queue is in trouble, in waits and abandons, and the others are not', async () => {
  const calls = await callsByQueue(true)
  const [troubled, other] = [calls.get('Technical Support')!, calls.get('Billing')!]
  expect(troubled.waits.length).toBeGreaterThan(30)
  expect(mean(troubled.waits)).toBeGreaterThan(3 * mean(other.waits))
  expect(troubled.abandoned / troubled.waits.length).toBeGreaterThan(0.15)
  expect(other.abandoned / other.waits.length).toBeLessThan(0.15)
  const others = [...calls].flatMap(([name, { waits }]) => (name === 'Technical Support' ? [] : waits))
  const busy = others.filter(([hour]) => hour >= 9 && hour < 17)
  const quiet = others.filter(([hour]) => hour < 7 || hour >= 20)
  expect(median(busy)).toBeGreaterThan(1.2 * median(quiet))
  expect(await callsByQueue(true), 'the same every time').toEqual(calls)
})

test('without busy hours no queue differs', async () => {
  const calls = await callsByQueue(false)
  const ratio = mean(calls.get('Technical Support')!.waits) / mean(calls.get('Billing')!.waits)
  expect(ratio).toBeGreaterThan(0.6)
  expect(ratio).toBeLessThan(1.6)
})

/**
 * Genuine answers of Genesys' aggregates (three groups by media type, sums in milliseconds) and conversations that add up to them: sums
 * over cells and the KPI formulas must give what Genesys gave.
 */
import { expect, it } from 'vitest'
import { CELL_COLUMNS, cellsOf } from '../../src/intervals/cells.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { conversation, participant, rowsOf, session, type Metric } from './records.ts'

/** By metric: how many rows, and the sum of their values. */
type Group = Readonly<Record<string, readonly [count: number, sum: number]>>

const hour = 3_600_000
const began = Date.parse('2025-03-01T00:00:00Z')
const instant = (ms: number): string => new Date(began + ms).toISOString()

/**
 * Conversations that have the group's metrics: the n-th row of each metric is in the n-th conversation and is emitted some intervals later
 * than the one before; the sums are divided unevenly.
 */
function conversationsOf(group: Group, mediaType: string, direction: string): JsonObject[] {
  const count = Math.max(...Object.values(group).map(([rows]) => rows))
  return Array.from({ length: count }, (_, n) => {
    const start = instant(n * hour)
    const metrics = Object.entries(group).flatMap(([name, [rows, sum]], position): Metric[] =>
      n < rows ? [[name, partOf(sum, rows, n), instant(n * hour + position * 11 * 60_000)]] : [],
    )
    return conversation(
      start,
      direction,
      participant('agent', `user ${n % 3}`, session(mediaType, direction, [['queue', start]], metrics)),
    )
  })
}

/** The n-th of `count` integers of different sizes that add up to a sum. */
function partOf(sum: number, count: number, n: number): number {
  const weights = (count * (count + 1)) / 2
  const upTo = (m: number): number => Math.floor((sum * ((m * (m + 1)) / 2)) / weights)
  return upTo(n + 1) - upTo(n)
}

/** The sums of the measures over all cells of the group's conversations. */
function totals(group: Group, mediaType: string, direction = 'inbound'): Record<string, number> {
  const cells = cellsOf(rowsOf(...conversationsOf(group, mediaType, direction)))
  expect(new Set(cells.map((cell) => cell[CELL_COLUMNS.indexOf('interval_start')])).size).toBeGreaterThan(1)
  return Object.fromEntries(
    CELL_COLUMNS.map((name, slot) => [name, cells.reduce((sum, cell) => sum + Number(cell[slot] ?? 0), 0)]),
  )
}

/** (answered - over service level) / (answered + abandoned), by the default switches. */
function serviceLevel({ answered = 0, over_service_level = 0, abandoned = 0 }: Record<string, number>): number {
  return (answered - over_service_level) / (answered + abandoned)
}

it('voice, outbound: handling contains dialing and contacting, but not voicemail', () => {
  const group = {
    tHandle: [1, 110_878],
    tTalkComplete: [1, 21_563],
    tTalk: [2, 21_563],
    tAcw: [1, 29_509],
    tDialing: [2, 57_910],
    tContacting: [2, 1896],
    tVoicemail: [3, 321_634],
    tAlert: [4, 70_001],
    tNotResponding: [4, 60_002],
  } as const
  const sums = totals(group, 'voice', 'outbound')
  expect(sums).toMatchObject({ handled: 1, handle_ms: 110_878, talks: 1, talk_ms: 21_563, acws: 1, acw_ms: 29_509 })
  expect(sums).toMatchObject({ dialing_ms: 57_910, contacting_ms: 1896, voicemail_ms: 321_634, not_responding: 4 })
  expect(sums['talk_ms']! + sums['hold_ms']! + sums['acw_ms']! + sums['dialing_ms']! + sums['contacting_ms']!).toBe(
    sums['handle_ms'],
  )
})

it('messages: tTalkComplete counts once, however many stretches there were; the service level is 7 of 9', () => {
  const group = {
    nOffered: [10, 10],
    tAcd: [10, 90_000_000],
    tAnswered: [9, 80_000_000],
    nOverSla: [2, 2],
    tTalk: [12, 573_631_707],
    tTalkComplete: [10, 573_631_707],
    tHeldComplete: [5, 2_140_692],
    tAcw: [10, 20_253_985],
    tHandle: [10, 596_026_384],
    nTransferred: [6, 6],
    nBlindTransferred: [6, 6],
  } as const
  const sums = totals(group, 'message')
  expect(sums).toMatchObject({ offered: 10, answered: 9, over_service_level: 2, abandoned: 0, flow_outs: 0, waits: 10 })
  expect(sums).toMatchObject({ talks: 10, talk_ms: 573_631_707, handled: 10, handle_ms: 596_026_384 })
  expect(sums['talk_ms']! + sums['hold_ms']! + sums['acw_ms']!).toBe(sums['handle_ms'])
  expect(sums['transferred']).toBe(sums['blind_transferred'])
  expect(serviceLevel(sums)).toBe(7 / 9)
  // AHT in seconds, the answer rate and the transfer rate
  expect(sums['handle_ms']! / sums['handled']! / 1000).toBeCloseTo(59_602.638, 3)
  expect(sums['answered']! / sums['offered']!).toBe(0.9)
  expect(sums['transferred']! / sums['handled']!).toBe(0.6)
})

it('callbacks: the calls placed within them are no part of the handling; none met the service level', () => {
  const group = {
    tAnswered: [4, 1_000_000],
    nOverSla: [4, 4],
    tTalkComplete: [4, 294_377],
    tAcw: [4, 23_838],
    tHandle: [4, 318_215],
    tActiveCallback: [1, 114_237],
    tActiveCallbackComplete: [1, 114_237],
  } as const
  const sums = totals(group, 'callback')
  expect(sums).toMatchObject({ handled: 4, handle_ms: 318_215, talk_ms: 294_377, acw_ms: 23_838 })
  expect(sums['talk_ms']! + sums['hold_ms']! + sums['acw_ms']!).toBe(sums['handle_ms'])
  expect(serviceLevel(sums)).toBe(0)
})

import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Value } from '../../src/model/columns.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { at, conversation, derived, metric, participant, segment, session } from './records.ts'

const entries = (...participants: JsonObject[]): Record<string, Value>[] =>
  derived('queue_entries', conversation(participants))
const outcome = (...participants: JsonObject[]): unknown => entries(...participants)[0]!['outcome']

const q = (queueId: string): JsonObject => ({ queueId })
/** A stay in queue q from 10:00:10 to 10:01:00, with metrics. */
const waited = (...metrics: JsonObject[]): JsonObject =>
  participant('acd', [session([segment('interact', '10:00:10', '10:01:00', q('q'))], metrics)])
/** An agent who talked for queue q from some time on, with metrics. */
const talked = (userId: string, start: string, metrics: readonly JsonObject[] = [], queueId = 'q'): JsonObject =>
  participant('agent', [session([segment('interact', start, '10:09:00', q(queueId))], metrics)], userId)
const left = metric('tAcd', 50_000, '10:01:00')

describe('what came of an entry', () => {
  test('the first that applies: short abandon, abandon, flow-out, answer', () => {
    const answer = talked('u', '10:01:00', [metric('tAnswered', 50_000, '10:01:00')])
    const all = [left, metric('tFlowOut', 1, '10:01:00'), metric('tAbandon', 1, '10:01:00')]
    expect(outcome(waited(...all, metric('tShortAbandon', 1, '10:01:00')), answer)).toBe('short_abandoned')
    expect(outcome(waited(...all), answer)).toBe('abandoned')
    expect(outcome(waited(...all.slice(0, 2)), answer)).toBe('flow_out')
    expect(outcome(waited(left), answer)).toBe('answered')
    expect(outcome(waited(left))).toBe('other')
  })

  test('a metric without a value says nothing', () => {
    expect(outcome(waited(left, metric('tAbandon', null, '10:01:00')))).toBe('other')
    expect(outcome(waited(left, metric('tAbandon', '7', '10:01:00')))).toBe('other')
    expect(outcome(waited(left, metric('tAbandon', 0, null)))).toBe('abandoned')
  })

  test('who answered is named only where it was answered', () => {
    const answer = talked('u', '10:01:00', [metric('tAnswered', 50_000, '10:01:00')])
    expect(entries(waited(left), answer)[0]).toMatchObject({ outcome: 'answered', answered_by_user_id: 'u' })
    expect(entries(waited(left, metric('tAbandon', 1, '10:01:00')), answer)[0]).toMatchObject({
      outcome: 'abandoned',
      answered_by_user_id: null,
    })
  })

  test('it waits while it is open and its wait was not counted', () => {
    const open = (...metrics: JsonObject[]) =>
      participant('acd', [session([segment('interact', '10:00:10', null, q('q'))], metrics)])
    expect(entries(open())[0]).toMatchObject({ outcome: 'waiting', left_at: null, wait_ms: null })
    expect(outcome(open(left))).toBe('other')
    expect(outcome(waited())).toBe('other')
    expect(outcome(participant('acd', [session([])]))).toBe('other')
  })
})

describe('who answered', () => {
  const answers = (start: string, emitDate: string, queueId?: string) =>
    talked(`at ${emitDate}`, start, [metric('tAnswered', 1, emitDate)], queueId)
  const by = (...agents: JsonObject[]): unknown => entries(waited(left), ...agents)[0]!['answered_by_user_id']

  test('the agent whose tAnswered is within a second of tAcd, the nearest, whatever the queue', () => {
    expect(by(answers('09:00:00', '10:01:01'))).toBe('at 10:01:01')
    expect(by(answers('09:00:00', '10:00:59', 'another'))).toBe('at 10:00:59')
    expect(by(answers('09:00:00', '10:01:01.000001', 'another'))).toBe(null)
    expect(by(answers('09:00:00', '10:00:58.999999', 'another'))).toBe(null)
    expect(by(answers('10:00:20', '10:00:59.100'), answers('10:00:20', '10:01:00.400'))).toBe('at 10:01:00.400')
  })

  test('else the connected agent of the queue who began first, from the entry up to the next one', () => {
    expect(by(talked('late', '10:05:00'), talked('early', '10:02:00'))).toBe('early')
    expect(by(talked('at once', '10:00:10'))).toBe('at once')
    expect(by(talked('before', '10:00:09.999'))).toBe(null)
    expect(by(talked('for another queue', '10:02:00', [], 'another'))).toBe(null)
    const alerted = participant('agent', [session([segment('alert', '10:02:00', '10:03:00', q('q'))])], 'not connected')
    expect(by(alerted)).toBe(null)
    expect(by(participant('user', [session([segment('interact', '10:02:00', null, q('q'))])], 'user'))).toBe('user')
    const next = participant('acd', [session([segment('interact', '10:03:00', '10:04:00', q('another'))])])
    expect(by(talked('u', '10:02:59.999'), next)).toBe('u')
    expect(by(talked('u', '10:03:00'), next)).toBe(null)
  })

  test('one whose tAnswered belongs to another time may still be the one who was connected', () => {
    expect(by(answers('10:02:00', '10:02:00'))).toBe('at 10:02:00')
  })
})

test('an entry lasts from the first to the last of its segments, in the queue of the last one that has a queue', () => {
  const entry = participant('acd', [
    session(
      [
        segment('interact', '10:00:05', '10:00:50', { ...q('q'), requestedRoutingSkillIds: ['s2', 's1'] }),
        segment('delay', '10:00:01', '10:00:05', { ...q('first'), requestedLanguageId: 'l' }),
        segment('system', '10:00:50', '10:00:51', { requestedRoutingSkillIds: ['s3'] }),
      ],
      [metric('tAcd', 45_000, '10:00:50'), metric('nOverSla', 1, '10:00:50')],
      { direction: 'outbound', mediaType: 'callback' },
    ),
  ])
  expect(entries(participant('customer', [session([])]), entry)).toEqual([
    {
      conversation_id: 'c',
      conversation_start: at('10:00:00'),
      _session_index: 1,
      queue_id: 'q',
      media_type: 'callback',
      direction: 'outbound',
      entered_at: at('10:00:01'),
      left_at: at('10:00:51'),
      answered_by_user_id: null,
      requested_skill_ids: ['s2', 's1'],
      requested_language_id: 'l',
      outcome: 'other',
      wait_ms: 45_000,
      over_service_level: 1,
    },
  ])
})

test('nOverSla counts once, whether the queue or the agent carries it', () => {
  const late = metric('nOverSla', 1, '10:01:00')
  const answered = (...more: JsonObject[]) =>
    talked('u', '10:01:00', [metric('tAnswered', 50_000, '10:01:00'), ...more])
  expect(entries(waited(left, late), answered())[0]!['over_service_level']).toBe(1)
  expect(entries(waited(left), answered(late))[0]!['over_service_level']).toBe(1)
  const twice = entries(waited(left), waited(left), answered(late))
  expect(twice.map((entry) => entry['over_service_level'])).toEqual([1, null])
})

test('genuine web messages: one agent participant with a session for each of seven entries into two queues', () => {
  const file = path.join(import.meta.dirname, '..', 'fixtures', 'records', 'web-messaging-two-queues.json')
  const raw = JSON.parse(readFileSync(file, 'utf8')) as JsonObject
  const found = derived('queue_entries', raw)
  expect(found.map((entry) => [(entry['queue_id'] as string).slice(0, 8), entry['outcome'], entry['wait_ms']])).toEqual(
    [
      ['cb0aeaf0', 'answered', 2204],
      ['cb0aeaf0', 'answered', 1150],
      ['e486272a', 'answered', 900],
      ['e486272a', 'answered', 3310],
      ['e486272a', 'answered', 61_004],
      ['cb0aeaf0', 'answered', 2020],
      ['e486272a', 'answered', 1700],
    ],
  )
  expect(new Set(found.map((entry) => entry['answered_by_user_id'])).size).toBe(1)
  expect(derived('agent_sessions', raw)).toHaveLength(7)
  expect(derived('conversation_facts', raw)).toMatchObject([
    { queue_count: 2, agent_count: 1, offered: 7, answered: 7, handled: 7, media_types: ['message'] },
  ])
})

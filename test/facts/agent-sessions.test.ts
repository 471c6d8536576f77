import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Value } from '../../src/model/columns.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { at, conversation, derived, metric, participant, segment, session } from './records.ts'

const sessions = (...participants: JsonObject[]): Record<string, Value>[] =>
  derived('agent_sessions', conversation(participants))
const of = (...parts: Parameters<typeof session>): Record<string, Value> =>
  sessions(participant('agent', [session(...parts)], 'u'))[0]!

test('only participants of purpose agent or user have them, one for each session', () => {
  const held = session([segment('interact', '10:00:00', '10:01:00')])
  const purposes = ['customer', 'acd', 'agent', 'ivr', 'user', 'external', 'voicemail', 'api']
  const found = sessions(...purposes.map((purpose) => participant(purpose, [held, held], `user of ${purpose}`)))
  expect(found.map((row) => [row['_session_index'], row['user_id']])).toEqual([
    [4, 'user of agent'],
    [5, 'user of agent'],
    [8, 'user of user'],
    [9, 'user of user'],
  ])
})

test('a session as a whole', () => {
  expect(
    of(
      [
        segment('alert', '10:00:00', '10:00:05', { queueId: 'q' }),
        segment('interact', '10:00:05', '10:02:00', { queueId: 'q' }),
        segment('hold', '10:02:00', '10:03:00'),
        segment('interact', '10:03:00', '10:04:00', { queueId: 'q', disconnectType: 'peer' }),
        segment('wrapup', '10:04:00', '10:05:00', { queueId: 'q', wrapUpCode: 'w1', wrapUpNote: 'one' }),
        segment('wrapup', '10:05:00', '10:06:00', { queueId: 'q', wrapUpCode: 'w2' }),
      ],
      [
        metric('tAlert', 5000, '10:00:05'),
        metric('tTalkComplete', 175_000, '10:04:00'),
        metric('tHeldComplete', 60_000, '10:04:00'),
        metric('tAcw', 120_000, '10:06:00'),
        metric('tHandle', 355_000, '10:06:00'),
        metric('nTransferred', 1, '10:04:00'),
      ],
      { outboundCampaignId: 'campaign', direction: 'outbound' },
    ),
  ).toEqual({
    conversation_id: 'c',
    conversation_start: at('10:00:00'),
    _session_index: 0,
    user_id: 'u',
    queue_id: 'q',
    media_type: 'voice',
    direction: 'outbound',
    alerted_at: at('10:00:00'),
    answered_at: at('10:00:05'),
    ended_at: at('10:06:00'),
    is_answered: true,
    wrap_up_code_id: 'w2',
    wrap_up_note_index: 4,
    disconnect_type: 'peer',
    campaign_id: 'campaign',
    alert_ms: 5000,
    talk_ms: 175_000,
    hold_ms: 60_000,
    acw_ms: 120_000,
    handle_ms: 355_000,
    transferred: 1,
  })
})

describe('whether the agent was connected', () => {
  test.each([
    ['an interact segment', [segment('interact', '10:00:05', null)], [], at('10:00:05')],
    ['tTalk', [], [metric('tTalk', 0, null)], null],
    ['tTalkComplete', [segment('hold', '10:00:01', null)], [metric('tTalkComplete', 1, '10:00:02')], null],
    ['tTalk with tAnswered', [], [metric('tTalk', 0, null), metric('tAnswered', 1, '10:00:05')], at('10:00:05')],
  ])('%s', (_name, segments, metrics, answeredAt) => {
    expect(of(segments, metrics)).toMatchObject({ is_answered: true, answered_at: answeredAt })
  })

  test('an agent who let it ring was not, though there is after-call work', () => {
    const rang = of(
      [segment('alert', '10:00:00', '10:00:20'), segment('wrapup', '10:00:20', '10:01:00')],
      [metric('tNotResponding', 20_000, '10:00:20'), metric('tAcw', 40_000, '10:01:00'), metric('tTalk', null, null)],
    )
    expect(rang).toMatchObject({ is_answered: false, answered_at: null, alerted_at: at('10:00:00'), acw_ms: 40_000 })
  })
})

test('the queue is that of the last segment that has one, and never that of another session', () => {
  const two = [
    segment('interact', '10:03:00', '10:04:00', { queueId: 'later' }),
    segment('interact', '10:00:00', '10:03:00', { queueId: 'earlier' }),
    segment('wrapup', '10:04:00', null),
  ]
  expect(of(two)).toMatchObject({ queue_id: 'later', ended_at: null })
  expect(sessions(participant('agent', [session(two), session([])], 'u'))[1]).toMatchObject({ queue_id: null })
})

test('a genuine preview callback: the callback of the queue and the call within it are two sessions', () => {
  const file = path.join(import.meta.dirname, '..', 'fixtures', 'records', 'preview-callback.json')
  const raw = JSON.parse(readFileSync(file, 'utf8')) as JsonObject
  expect(derived('agent_sessions', raw)).toMatchObject([
    { media_type: 'callback', is_answered: true, talk_ms: 170_802, handle_ms: 190_802 },
    { media_type: 'voice', is_answered: true, queue_id: null, talk_ms: 138_607, handle_ms: null },
  ])
  expect(derived('queue_entries', raw)).toMatchObject([{ media_type: 'callback', outcome: 'answered', wait_ms: 2740 }])
  expect(derived('conversation_facts', raw)).toMatchObject([
    { media_type: 'voice', agent_count: 1, handled: 1, customer_address: '+14155550127' },
  ])
})

test('a genuine transfer: the agent who let it ring, the one who transferred it, and the one who took over', () => {
  const file = path.join(import.meta.dirname, '..', 'fixtures', 'records', 'voice-transfer-unanswered.json')
  const raw = JSON.parse(readFileSync(file, 'utf8')) as JsonObject
  const found = derived('agent_sessions', raw)
  expect(found.map((row) => [row['is_answered'], row['transferred'], row['handle_ms']])).toEqual([
    [false, null, 42_000],
    [true, 1, 132_400],
    [true, null, 271_328],
  ])
  expect(derived('queue_entries', raw)).toMatchObject([
    { outcome: 'answered', answered_by_user_id: found[1]!['user_id'], over_service_level: null },
    { outcome: 'answered', answered_by_user_id: found[2]!['user_id'], over_service_level: 1 },
  ])
})

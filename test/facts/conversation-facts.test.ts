import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/model/json.ts'
import { at, conversation, facts, metric, participant, segment, session } from './records.ts'

const inQueue = (queueId: string): JsonObject => ({ queueId })

describe('whose media type it is', () => {
  const call = session([segment('interact', '10:00:01', '10:05:00')])
  const message = session([segment('interact', '10:00:02', '10:05:00')], [], {
    mediaType: 'message',
    messageType: 'sms',
  })

  test("the customer's first session, by the start of its segments and not by its place", () => {
    const raw = conversation([participant('agent', [call], 'u1'), participant('customer', [message])])
    expect(facts(raw)).toMatchObject({
      media_type: 'message',
      message_type: 'sms',
      media_types: ['message', 'voice'],
    })
    expect(facts(conversation([participant('customer', [message, call])]))).toMatchObject({
      media_type: 'voice',
      message_type: null,
    })
  })

  test('an external participant counts as the customer only where there is no customer', () => {
    const external = participant('external', [call])
    expect(facts(conversation([external, participant('customer', [message])]))['media_type']).toBe('message')
    expect(facts(conversation([participant('acd', [message]), external]))['media_type']).toBe('voice')
  })

  test('without a customer the first session of all, and without sessions none', () => {
    expect(facts(conversation([participant('acd', [message]), participant('agent', [call], 'u')]))).toMatchObject({
      media_type: 'voice',
      customer_end: null,
    })
    expect(facts(conversation([]))).toMatchObject({ media_type: null, media_types: [], queue_count: 0, agent_count: 0 })
  })
})

test('first and last queue are those of acd sessions, however the agents moved on; queues count once', () => {
  const raw = conversation([
    participant('customer', [session([segment('interact', '10:00:00', '10:20:00', inQueue('customer queue'))])]),
    participant('acd', [session([segment('interact', '10:07:00', '10:08:00', inQueue('q2'))])]),
    participant('acd', [session([segment('interact', '10:01:00', '10:02:00', inQueue('q1'))])]),
    participant('agent', [session([segment('interact', '10:09:00', '10:10:00', inQueue('q3'))])], 'u'),
    participant('acd', [session([segment('interact', '10:11:00', '10:12:00', inQueue('q1'))])]),
    participant('acd', [session([segment('interact', '10:13:00', '10:14:00')])]),
  ])
  expect(facts(raw)).toMatchObject({ first_queue_id: 'q1', last_queue_id: 'q1', queue_count: 2 })
})

test('first and last agent are those who were connected, in the order of their segments', () => {
  const talk = (start: string, end: string) => session([segment('interact', start, end)])
  const raw = conversation([
    participant('agent', [session([segment('alert', '10:00:10', '10:00:30')])], 'did not answer'),
    participant('user', [talk('10:05:00', '10:06:00')], 'second'),
    participant('agent', [talk('10:01:00', '10:05:00')], 'first'),
    participant('agent', [talk('10:06:00', '10:07:00')], 'third'),
    // back after a consultation: the latest segment is the first agent's
    participant('agent', [talk('10:08:00', '10:09:00')], 'first'),
    participant('customer', [talk('10:00:00', '10:10:00')], 'no agent'),
  ])
  expect(facts(raw)).toMatchObject({ first_user_id: 'first', last_user_id: 'first', agent_count: 3 })
})

test('of segments that began at once the one with the lower index is first, the one with the higher index last', () => {
  const talk = () => session([segment('interact', '10:01:00', '10:05:00')])
  const raw = conversation([participant('agent', [talk()], 'a'), participant('agent', [talk()], 'b')])
  expect(facts(raw)).toMatchObject({ first_user_id: 'a', last_user_id: 'b' })
})

test('the customer has left when the last of the sessions has ended, and not while one is open', () => {
  const left = session([segment('interact', '10:00:00', '10:04:00')])
  const longer = session([segment('interact', '10:00:00', '10:02:00'), segment('hold', '10:02:00', '10:06:00.250')])
  const open = session([segment('interact', '10:00:00', '10:02:00'), segment('hold', '10:02:00', null)])
  expect(facts(conversation([participant('customer', [longer, left])]))['customer_end']).toBe(at('10:06:00.250'))
  expect(
    facts(conversation([participant('customer', [longer]), participant('customer', [open])]))['customer_end'],
  ).toBe(null)
})

test('totals are over all metrics with a value, also those without a time; null is none, and 0 is a metric', () => {
  const raw = conversation([
    participant('ivr', [session([], [metric('tIvr', 4000, '10:00:05'), metric('tFlow', 1, '10:00:05')])]),
    participant('acd', [
      session([], [metric('nOffered', 1, '10:00:05'), metric('tAcd', 7000, null), metric('tAcd', null, '10:01:00')]),
    ]),
    participant(
      'agent',
      [
        session(
          [],
          [
            metric('tTalk', 60_000, '10:02:00'),
            metric('tTalkComplete', 60_000, '10:02:00'),
            metric('tHeldComplete', '5', '10:02:00'),
            metric('tAcw', 0, '10:02:00'),
            metric('tHandle', 60_000, '10:02:00'),
            metric('tAnswered', 7000, '10:01:00'),
            metric('nTransferred', 2, '10:02:00'),
            metric('nBlindTransferred', 2, '10:02:00'),
          ],
        ),
        session([], [metric('tHandle', 1, null)]),
      ],
      'u',
    ),
  ])
  expect(facts(raw)).toMatchObject({
    ivr_ms: 4000,
    wait_ms: 7000,
    talk_ms: 60_000,
    hold_ms: null,
    acw_ms: 0,
    handle_ms: 60_001,
    handled: 2,
    offered: 1,
    answered: 1,
    abandoned: null,
    transferred: 2,
    blind_transferred: 2,
    consult_transferred: null,
  })
})

test('the wrap-up code is the last of all, how it ended is that of the last segment of the customer', () => {
  const code = (wrapUpCode: string): JsonObject => ({ wrapUpCode })
  const raw = conversation([
    participant('customer', [
      session([
        segment('interact', '10:00:00', '10:01:00', { disconnectType: 'transfer' }),
        segment('interact', '10:01:00', '10:05:00', { disconnectType: 'client' }),
      ]),
    ]),
    participant('agent', [session([segment('wrapup', '10:05:00', '10:06:00', code('late'))])], 'a'),
    participant('agent', [session([segment('wrapup', '10:03:00', '10:04:00', code('early'))])], 'b'),
    participant('acd', [session([segment('interact', '10:07:00', '10:08:00', { disconnectType: 'system' })])]),
  ])
  expect(facts(raw)).toMatchObject({ wrap_up_code_id: 'late', disconnect_type: 'client' })
})

test('scores are those of the latest survey and evaluation that have one', () => {
  const raw = conversation([], {
    surveys: [
      { surveyId: 's1', eventTime: at('12:00:00'), oSurveyTotalScore: 80 },
      { surveyId: 's2', eventTime: at('11:00:00'), oSurveyTotalScore: 10 },
      { surveyId: 's3', eventTime: at('13:00:00') },
    ],
    evaluations: [
      { evaluationId: 'e1', oTotalScore: 0 },
      { evaluationId: 'e2', oTotalScore: 30 },
      { evaluationId: 'e3', eventTime: at('11:00:00'), oTotalScore: 55 },
      { evaluationId: 'e4', eventTime: at('11:00:00'), oTotalScore: 60 },
    ],
  })
  expect(facts(raw)).toMatchObject({ survey_score: 80, evaluation_score: 60 })
})

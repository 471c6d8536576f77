/** A small organization whose cells are worked out by hand, and what can be wrong with a record. */
import { describe, expect, it } from 'vitest'
import { CELL_COLUMNS, cellsOf } from '../../src/intervals/cells.ts'
import { measures } from '../../src/intervals/measures.ts'
import type { JsonObject, JsonValue } from '../../src/model/json.ts'
import { parseJson } from '../../src/model/json.ts'
import { cells, conversation, participant, rowsOf, session, type Metric, type Segment } from './records.ts'

const day = '2026-03-05T'
const at = (time: string): string => `${day}${time}${time.length === 8 ? '.000' : ''}Z`
const metric = (name: string, value: JsonValue, time: string): Metric => [name, value, at(time)]
const segment = (queue: string | null, time: string): Segment => [queue, at(time)]
const inbound = { media_type: 'voice', direction: 'inbound', originating_direction: 'inbound' }

describe('a call with an IVR, a queue and a blind transfer, whose second agent finishes in the next quarter hour', () => {
  const call = conversation(
    at('09:58:00'),
    'inbound',
    // the customer's own segment carries the first queue
    participant(
      'customer',
      null,
      session(
        'voice',
        'inbound',
        [segment('sales', '09:58:00')],
        [metric('nConnected', 1, '09:58:00'), metric('tConnected', 966_000, '10:14:06')],
      ),
    ),
    participant(
      'ivr',
      null,
      session(
        'voice',
        'inbound',
        [segment(null, '09:58:00')],
        [metric('nFlow', 1, '09:58:00'), metric('tIvr', 45_000, '09:58:45'), metric('tFlow', 44_800, '09:58:45')],
      ),
    ),
    participant(
      'acd',
      null,
      session(
        'voice',
        'inbound',
        [segment('sales', '09:58:45')],
        [metric('nOffered', 1, '09:58:46'), metric('tAcd', 80_000, '10:00:06'), metric('nOverSla', 1, '10:00:06')],
      ),
    ),
    participant(
      'agent',
      'ann',
      session(
        'voice',
        'inbound',
        [segment('sales', '09:59:50'), segment('sales', '10:00:06')],
        [
          metric('tAlert', 16_000, '10:00:06'),
          metric('tAnswered', 80_000, '10:00:06'),
          // two stretches of talking around one on hold
          metric('tTalk', 300_000, '10:05:06'),
          metric('tHeld', 60_000, '10:06:06'),
          metric('tTalk', 120_000, '10:08:06'),
          metric('nTransferred', 1, '10:08:06'),
          metric('nBlindTransferred', 1, '10:08:06'),
          metric('tTalkComplete', 420_000, '10:08:06'),
          metric('tHeldComplete', 60_000, '10:08:06'),
          metric('tAcw', 30_000, '10:08:36'),
          metric('tHandle', 510_000, '10:08:36'),
        ],
      ),
    ),
    participant(
      'acd',
      null,
      session(
        'voice',
        'inbound',
        [segment('service', '10:08:06')],
        [metric('nOffered', 1, '10:08:06'), metric('tAcd', 20_000, '10:08:26')],
      ),
    ),
    participant(
      'agent',
      'bob',
      session(
        'voice',
        'inbound',
        [segment('service', '10:08:21'), segment('service', '10:08:26')],
        [
          metric('tAlert', 5000, '10:08:26'),
          metric('tAnswered', 20_000, '10:08:26'),
          metric('tTalkComplete', 340_000, '10:14:06'),
          metric('tAcw', 90_000, '10:15:36'),
          metric('tHandle', 430_000, '10:15:36'),
        ],
      ),
    ),
  )

  it('counts each metric where it was emitted, under the queue of its own session', () => {
    expect(cells(call)).toEqual([
      // 09:58:45: the IVR has no queue
      { interval_start: at('09:45:00'), ...inbound, ivrs: 1, ivr_ms: 45_000 },
      // 09:58:00 connected, by the customer's session; 09:58:46 offered, by the queue's
      { interval_start: at('09:45:00'), queue_id: 'sales', ...inbound, connected: 1, offered: 1 },
      // 10:00:06: the wait of 80 s ends in the next interval, and so counts there
      {
        interval_start: at('10:00:00'),
        queue_id: 'sales',
        ...inbound,
        over_service_level: 1,
        waits: 1,
        wait_ms: 80_000,
        wait_ms_max: 80_000,
      },
      // Ann: handled 420 + 60 + 30 = 510 s; the talk is tTalkComplete once, not the 300 + 120 of tTalk
      {
        interval_start: at('10:00:00'),
        queue_id: 'sales',
        user_id: 'ann',
        ...inbound,
        transferred: 1,
        blind_transferred: 1,
        answered: 1,
        answer_ms: 80_000,
        answer_ms_max: 80_000,
        handled: 1,
        handle_ms: 510_000,
        handle_ms_max: 510_000,
        talks: 1,
        talk_ms: 420_000,
        holds: 1,
        hold_ms: 60_000,
        acws: 1,
        acw_ms: 30_000,
        alerts: 1,
        alert_ms: 16_000,
      },
      // the transfer offers the call again, to the second queue
      {
        interval_start: at('10:00:00'),
        queue_id: 'service',
        ...inbound,
        offered: 1,
        waits: 1,
        wait_ms: 20_000,
        wait_ms_max: 20_000,
      },
      // Bob has answered and talked until 10:14:06 …
      {
        interval_start: at('10:00:00'),
        queue_id: 'service',
        user_id: 'bob',
        ...inbound,
        answered: 1,
        answer_ms: 20_000,
        answer_ms_max: 20_000,
        talks: 1,
        talk_ms: 340_000,
        alerts: 1,
        alert_ms: 5000,
      },
      // … and is done at 10:15:36: after-call work and handling, 340 + 90 = 430 s, count there as a whole
      {
        interval_start: at('10:15:00'),
        queue_id: 'service',
        user_id: 'bob',
        ...inbound,
        handled: 1,
        handle_ms: 430_000,
        handle_ms_max: 430_000,
        acws: 1,
        acw_ms: 90_000,
      },
    ])
  })

  it('has an _index from 0 in every conversation, and the keys of the conversation', () => {
    const other = { ...call, conversationId: 'other' }
    const rows = cellsOf(rowsOf(call, other))
    const keys = (id: string) => Array.from({ length: 7 }, (_, index) => [id, at('09:58:00'), index])
    expect(rows.map((row) => row.slice(0, 3))).toEqual([...keys(`c-${at('09:58:00')}`), ...keys('other')])
  })
})

it('an abandoned call and one that is given up at once', () => {
  const abandoned = (seconds: number, short: boolean) =>
    participant(
      'acd',
      null,
      session(
        'voice',
        'inbound',
        [segment('sales', '12:00:00')],
        [
          metric('nOffered', 1, '12:00:00'),
          metric('tAcd', seconds * 1000, '12:00:59.999999'),
          metric('tAbandon', seconds * 1000, '12:00:59.999999'),
          ...(short ? [metric('tShortAbandon', seconds * 1000, '12:00:59.999999')] : []),
        ],
      ),
    )
  // 50 + 3 s of waiting, of which the longest is 50; a short abandon is an abandon, too
  expect(cells(conversation(at('12:00:00'), 'inbound', abandoned(50, false), abandoned(3, true)))).toEqual([
    {
      interval_start: at('12:00:00'),
      queue_id: 'sales',
      ...inbound,
      offered: 2,
      abandoned: 2,
      abandon_ms: 53_000,
      abandon_ms_max: 50_000,
      short_abandoned: 1,
      waits: 2,
      wait_ms: 53_000,
      wait_ms_max: 50_000,
    },
  ])
})

it('an outbound call without a queue: handled = talk + after-call work + dialing + contacting', () => {
  const call = conversation(
    at('23:59:00'),
    'outbound',
    participant(
      'agent',
      'ann',
      session(
        'voice',
        'outbound',
        [segment(null, '23:59:00')],
        [
          metric('nOutbound', 1, '23:59:00'),
          metric('nOutboundAttempted', 1, '23:59:00'),
          metric('nOutboundConnected', 1, '23:59:20'),
          metric('tDialing', 12_000, '23:59:12'),
          metric('tContacting', 8000, '23:59:20'),
          metric('tTalkComplete', 30_000, '23:59:50'),
          ['tAcw', 10_000, '2026-03-06T00:00:00.000Z'],
          ['tHandle', 60_000, '2026-03-06T00:00:00.000Z'],
        ],
      ),
    ),
  )
  const keys = { user_id: 'ann', media_type: 'voice', direction: 'outbound', originating_direction: 'outbound' }
  expect(cells(call)).toEqual([
    {
      interval_start: at('23:45:00'),
      ...keys,
      outbound: 1,
      outbound_attempted: 1,
      outbound_connected: 1,
      talks: 1,
      talk_ms: 30_000,
      dialing: 1,
      dialing_ms: 12_000,
      contacting: 1,
      contacting_ms: 8000,
    },
    // midnight itself is the next day; 30 + 10 + 12 + 8 = 60 s
    {
      interval_start: '2026-03-06T00:00:00.000Z',
      ...keys,
      handled: 1,
      handle_ms: 60_000,
      handle_ms_max: 60_000,
      acws: 1,
      acw_ms: 10_000,
    },
  ])
})

it('a callback: the waiting call flows out of its queue, and the agent calls back in another direction', () => {
  const call = conversation(
    at('08:00:00'),
    'inbound',
    participant(
      'acd',
      null,
      session(
        'voice',
        'inbound',
        [segment('sales', '08:00:00')],
        [metric('nOffered', 1, '08:00:00'), metric('tAcd', 60_000, '08:01:00'), metric('tFlowOut', 60_000, '08:01:00')],
      ),
    ),
    participant(
      'acd',
      null,
      session(
        'callback',
        'inbound',
        [segment('sales', '08:01:00')],
        [metric('nOffered', 1, '08:01:00'), metric('tAcd', 600_000, '08:11:00')],
      ),
    ),
    participant(
      'agent',
      'ann',
      session(
        'callback',
        'inbound',
        [segment('sales', '08:11:00')],
        [
          metric('tAnswered', 600_000, '08:11:00'),
          // the calling within the callback is not part of the handling
          metric('tActiveCallback', 40_000, '08:13:00'),
          metric('tActiveCallbackComplete', 40_000, '08:13:00'),
          metric('tTalkComplete', 120_000, '08:13:00'),
          metric('tAcw', 15_000, '08:13:15'),
          metric('tHandle', 135_000, '08:13:15'),
        ],
      ),
      session('voice', 'outbound', [segment('sales', '08:11:10')], [metric('nOutbound', 1, '08:11:10')]),
    ),
  )
  const callback = { ...inbound, media_type: 'callback' }
  expect(cells(call)).toEqual([
    {
      interval_start: at('08:00:00'),
      queue_id: 'sales',
      ...callback,
      offered: 1,
      waits: 1,
      wait_ms: 600_000,
      wait_ms_max: 600_000,
    },
    {
      interval_start: at('08:00:00'),
      queue_id: 'sales',
      ...inbound,
      offered: 1,
      flow_outs: 1,
      waits: 1,
      wait_ms: 60_000,
      wait_ms_max: 60_000,
    },
    {
      interval_start: at('08:00:00'),
      queue_id: 'sales',
      user_id: 'ann',
      ...callback,
      answered: 1,
      answer_ms: 600_000,
      answer_ms_max: 600_000,
      handled: 1,
      handle_ms: 135_000,
      handle_ms_max: 135_000,
      talks: 1,
      talk_ms: 120_000,
      acws: 1,
      acw_ms: 15_000,
    },
    {
      interval_start: at('08:00:00'),
      queue_id: 'sales',
      user_id: 'ann',
      media_type: 'voice',
      direction: 'outbound',
      originating_direction: 'inbound',
      outbound: 1,
    },
  ])
})

it('an agent who did not answer can have after-call work and handling, too', () => {
  const agent = participant(
    'agent',
    'ann',
    session(
      'voice',
      'inbound',
      [segment('sales', '11:00:00')],
      [
        metric('tAlert', 9000, '11:00:09'),
        metric('tNotResponding', 9000, '11:00:09'),
        metric('nError', 1, '11:00:09'),
        metric('tAcw', 57_000, '11:01:06'),
        metric('tHandle', 57_000, '11:01:06'),
      ],
    ),
  )
  expect(cells(conversation(at('11:00:00'), 'inbound', agent))).toEqual([
    {
      interval_start: at('11:00:00'),
      queue_id: 'sales',
      user_id: 'ann',
      ...inbound,
      errors: 1,
      handled: 1,
      handle_ms: 57_000,
      handle_ms_max: 57_000,
      acws: 1,
      acw_ms: 57_000,
      alerts: 1,
      alert_ms: 9000,
      not_responding: 1,
      not_responding_ms: 9000,
    },
  ])
})

describe('the queue of a metric', () => {
  /** The queues under which a session counts one nOffered at each of the instants. */
  function queues(segments: readonly Segment[], ...emitDates: JsonValue[]): (string | null)[] {
    return emitDates.map((emitDate) => {
      const offered = session('message', 'inbound', segments, [['nOffered', 1, emitDate]])
      const [cell] = cells(conversation(at('00:00:00'), 'inbound', participant('acd', null, offered)))
      return (cell!['queue_id'] as string | undefined) ?? null
    })
  }

  it('is that of the segment that began last, at the same instant at the latest', () => {
    const segments = [segment('a', '10:00:00'), segment('b', '10:30:00'), segment('c', '11:00:00')]
    expect(queues(segments, at('10:29:59.999'), at('10:30:00'), at('10:30:00.001'), at('12:00:00'))).toEqual([
      'a',
      'b',
      'b',
      'c',
    ])
  })

  it('is compared by the microsecond, in whatever spelling', () => {
    const segments = [segment('a', '10:00:00'), segment('b', '10:30:00.000500')]
    const emitDates = [at('10:30:00'), at('10:30:00.000499'), at('10:30:00.000500'), at('10:30:00.001')]
    expect(queues(segments, ...emitDates, '2026-03-05T12:30:00.0005+02:00')).toEqual(['a', 'a', 'b', 'b', 'b'])
  })

  it('is that of the earliest segment, whatever its place in the record, if none had begun', () => {
    expect(queues([segment('b', '11:00:00'), segment('a', '10:00:00')], at('09:00:00'))).toEqual(['a'])
  })

  it('is that of the higher _index of two that began at once, and of the lower one if none had begun', () => {
    const segments = [segment('a', '10:00:00'), segment('b', '10:00:00'), segment('c', '12:00:00')]
    expect(queues(segments, at('10:00:00'), at('09:59:59'))).toEqual(['b', 'a'])
  })

  it('takes a segment without a readable start as the earliest, which has always begun', () => {
    const segments: Segment[] = [segment('a', '10:00:00'), ['b', null], ['c', 'tomorrow']]
    expect(queues(segments, at('09:59:59'), at('10:00:00'))).toEqual(['c', 'a'])
  })

  it('ignores segments without a queue, and has none if the session has none', () => {
    const segments = [segment('a', '10:00:00'), segment(null, '10:30:00')]
    expect(queues(segments, at('10:45:00'))).toEqual(['a'])
    expect(queues([segment(null, '10:00:00')], at('10:45:00'))).toEqual([null])
    expect(queues([], at('10:45:00'))).toEqual([null])
  })

  it('is never that of another session, not even of the same participant', () => {
    const agent = participant(
      'agent',
      'ann',
      session('message', 'inbound', [segment('a', '10:00:00')], [metric('tHandle', 1000, '12:00:00')]),
      session('message', 'inbound', [segment('b', '11:00:00')], [metric('tHandle', 200, '12:00:00')]),
      session('message', 'inbound', [segment('a', '11:30:00')], [metric('tHandle', 30, '12:14:59.999')]),
      session('message', 'inbound', [], [metric('tHandle', 4, '12:00:00')]),
    )
    const found = cells(conversation(at('10:00:00'), 'inbound', agent))
    expect(found.map((cell) => [cell['queue_id'], cell['handled'], cell['handle_ms'], cell['handle_ms_max']])).toEqual([
      [undefined, 1, 4, 4],
      // the sessions of the same queue share a cell: 1000 + 30
      ['a', 2, 1030, 1000],
      ['b', 1, 200, 200],
    ])
  })

  it('changes within one session, so that its metrics count under several', () => {
    const thread = session(
      'message',
      'inbound',
      [segment('a', '10:00:00'), segment('b', '10:07:00')],
      [
        metric('nOffered', 1, '10:00:01'),
        metric('tAcd', 400_000, '10:06:41'),
        metric('tAlert', 5000, '10:07:05'),
        metric('tAgentResponseTime', 7000, '10:09:00'),
        metric('tAgentResponseTime', 9000, '10:16:00'),
      ],
    )
    const keys = { ...inbound, media_type: 'message' }
    expect(cells(conversation(at('10:00:00'), 'inbound', participant('acd', null, thread)))).toEqual([
      {
        interval_start: at('10:00:00'),
        queue_id: 'a',
        ...keys,
        offered: 1,
        waits: 1,
        wait_ms: 400_000,
        wait_ms_max: 400_000,
      },
      {
        interval_start: at('10:00:00'),
        queue_id: 'b',
        ...keys,
        alerts: 1,
        alert_ms: 5000,
        agent_responses: 1,
        agent_response_ms: 7000,
      },
      { interval_start: at('10:15:00'), queue_id: 'b', ...keys, agent_responses: 1, agent_response_ms: 9000 },
    ])
  })
})

describe('a metric', () => {
  /** The only cell of a session with these metrics. */
  function cell(...metrics: Metric[]): Record<string, unknown> | undefined {
    const found = cells(
      conversation(at('10:00:00'), null, participant('agent', null, session(null, null, [], metrics))),
    )
    expect(found.length).toBeLessThan(2)
    return found[0]
  }
  const number = (text: string): JsonValue => parseJson(text)

  it('does not count without a whole number, or without a readable emit date', () => {
    expect(cell(metric('tHandle', null, '10:00:00'))).toBeUndefined()
    expect(cell(metric('tHandle', '1000', '10:00:00'))).toBeUndefined()
    expect(cell(metric('tHandle', 1000.5, '10:00:00'))).toBeUndefined()
    expect(cell(['tHandle', 1000, null])).toBeUndefined()
    expect(cell(['tHandle', 1000, 'infinity'])).toBeUndefined()
    expect(cell(['tHandle', 1000, '2026-02-30T10:00:00Z'])).toBeUndefined()
  })

  it('has a name in which case matters', () => {
    expect(cell(metric('thandle', 1, '10:00:00'), metric('THANDLE', 1, '10:00:00'))).toBeUndefined()
    expect(cell(metric('constructor', 1, '10:00:00'), metric('__proto__', 1, '10:00:00'))).toBeUndefined()
  })

  it.each([
    ['1900-01-01T00:14:59.999999Z', '1900-01-01T00:00:00.000Z'],
    ['0001-01-01T00:00:00.000Z', '0001-01-01T00:00:00.000Z'],
    ['9999-12-31T23:59:59.999999Z', '9999-12-31T23:45:00.000Z'],
    ['1969-12-31T23:44:59.999Z', '1969-12-31T23:30:00.000Z'],
    // second 60 is the instant after; offsets of any kind are converted
    ['2016-12-31T23:59:60.000Z', '2017-01-01T00:00:00.000Z'],
    ['2026-03-05T10:00:00.000+05:45', '2026-03-05T04:15:00.000Z'],
    ['2026-03-05T10:29:59.999999Z', '2026-03-05T10:15:00.000Z'],
    ['2026-03-05T10:30:00.000Z', '2026-03-05T10:30:00.000Z'],
    ['2026-03-05T10:45:00.000001Z', '2026-03-05T10:45:00.000Z'],
  ])('emitted at %s counts in the interval of %s', (emitDate, interval) => {
    expect(cell(['tHandle', 1, emitDate])?.['interval_start']).toBe(interval)
  })

  it('of value 0 is an event, but adds nothing to a total; a cell that is 0 throughout does not exist', () => {
    expect(cell(metric('tAnswered', 0, '10:00:00'))).toEqual({
      interval_start: at('10:00:00'),
      answered: 1,
      answer_ms_max: 0,
    })
    expect(cell(metric('nOffered', 0, '10:00:00'))).toBeUndefined()
    expect(cell(metric('nOffered', 2, '10:00:00'), metric('nOffered', -2, '10:01:00'))).toBeUndefined()
  })

  it('is summed exactly beyond 2^53', () => {
    const odd = number('9007199254740993')
    expect(cell(metric('tHandle', odd, '10:00:00'), metric('tHandle', 2, '10:00:01'))).toMatchObject({
      handled: 2,
      handle_ms: 9_007_199_254_740_995n,
      handle_ms_max: 9_007_199_254_740_993n,
    })
    expect(cell(metric('nOffered', 2 ** 53 - 1, '10:00:00'), metric('nOffered', 2, '10:00:01'))).toMatchObject({
      offered: 2n ** 53n + 1n,
    })
    // a sum that comes back below 2^53 is a number again
    expect(cell(metric('nOffered', odd, '10:00:00'), metric('nOffered', -3, '10:00:01'))).toMatchObject({
      offered: 2 ** 53 - 2,
    })
  })

  it('beyond int64 gives its limit, whatever the order', () => {
    const largest = number('9223372036854775807')
    const smallest = number('-9223372036854775808')
    expect(cell(metric('tHandle', largest, '10:00:00'), metric('tHandle', 1, '10:00:00'))).toMatchObject({
      handle_ms: 2n ** 63n - 1n,
    })
    expect(cell(metric('nError', smallest, '10:00:00'), metric('nError', -1, '10:00:00'))).toMatchObject({
      errors: -(2n ** 63n),
    })
    const metrics = [metric('nError', largest, '10:00:00'), metric('nError', 5, '10:00:00')]
    const back = metric('nError', -10, '10:00:00')
    const exact = { errors: 2n ** 63n - 6n }
    expect(cell(...metrics, back)).toMatchObject(exact)
    expect(cell(back, ...metrics.reverse())).toMatchObject(exact)
  })
})

describe('participants and sessions', () => {
  it('are joined by their position, not by ids, which can be absent or repeated', () => {
    const agent = (userId: string, handle: number): JsonObject => ({
      ...participant('agent', userId, {
        ...session('voice', 'inbound', [segment('sales', '10:00:00')], [metric('tHandle', handle, '10:01:00')]),
        sessionId: 'same',
      }),
      participantId: 'same',
    })
    const found = cells(conversation(at('10:00:00'), 'inbound', agent('ann', 1000), agent('bob', 2000)))
    expect(found.map((cell) => [cell['user_id'], cell['handle_ms']])).toEqual([
      ['ann', 1000],
      ['bob', 2000],
    ])
  })

  it('whose metrics come in the wrong types make no cell, and do not fail', () => {
    const strange = { metrics: [1, null, { name: 3, value: 1, emitDate: at('10:00:00') }, { value: 1 }], segments: 'x' }
    const raw = conversation(at('10:00:00'), 'inbound', { sessions: [strange, {}] }, {})
    expect(cells(raw)).toEqual([])
    expect(cells({ conversationId: 'c', conversationStart: at('10:00:00'), participants: 7 })).toEqual([])
  })

  it('rows without their conversation or session count nowhere', () => {
    const rows = rowsOf(
      conversation(
        at('10:00:00'),
        'inbound',
        participant(
          'acd',
          null,
          session('voice', 'inbound', [segment('a', '10:00:00')], [metric('tAcd', 1, '10:00:00')]),
        ),
      ),
    )
    expect(cellsOf(rows)).toHaveLength(1)
    expect(cellsOf({ ...rows, sessions: [] })).toEqual([])
    expect(cellsOf({ ...rows, conversations: [] })).toEqual([])
  })
})

it('every measure has a column, once', () => {
  expect(CELL_COLUMNS).toHaveLength(9 + measures.length)
  expect(new Set(CELL_COLUMNS).size).toBe(CELL_COLUMNS.length)
})

import { describe, expect, it } from 'vitest'
import { parseJson } from '../../src/model/json.ts'
import type { JsonObject, JsonValue } from '../../src/model/json.ts'
import { readAnalytics } from '../../src/live/from-analytics.ts'
import { readConversation } from '../../src/live/from-conversation.ts'
import type { LiveAgent, LiveConversation, LiveState } from '../../src/live/state.ts'

const now = new Date('2026-11-22T12:00:00.000Z')
/** An instant of the hour before `now`, by minutes and seconds. */
const t = (text: string): string => `2026-11-22T11:${text}.000Z`

/** A segment: type, start, end (absent while it is open), further fields. */
type Span = readonly [type: string, start: string, end?: string | null, fields?: JsonObject]

const session = (spans: readonly Span[], fields: JsonObject = {}): JsonObject => ({
  mediaType: 'voice',
  direction: 'inbound',
  ...fields,
  segments: spans.map(([segmentType, start, end, more = {}]) => ({
    segmentType,
    segmentStart: t(start),
    ...(end ? { segmentEnd: t(end) } : {}),
    conference: false,
    ...more,
  })),
})
const party = (purpose: string, sessions: JsonObject[], userId?: string): JsonObject => ({
  purpose,
  participantName: `name of ${purpose}`,
  ...(userId && { userId }),
  sessions,
})
const customer = (...spans: Span[]): JsonObject => party('customer', [session(spans)])
const acd = (queueId: string, ...spans: Span[]): JsonObject =>
  party('acd', [session(spans.map(([type, start, end = null]): Span => [type, start, end, { queueId }]))])
const agent = (userId: string, ...sessions: JsonObject[]): JsonObject => party('agent', sessions, userId)
const onQueue = (queueId: string): JsonObject => ({ queueId })
const agentOf = (user_id: string, state: LiveState, since: string, queue_id: string | null): LiveAgent => ({
  user_id,
  state,
  state_since: t(since),
  queue_id,
})

const conversation = (participants: JsonObject[], fields: JsonObject = {}): JsonObject => ({
  conversationId: 'c1',
  conversationStart: t('00:00'),
  originatingDirection: 'inbound',
  divisionIds: ['d1'],
  participants,
  ...fields,
})

function open(raw: JsonValue): LiveConversation {
  const reading = readAnalytics(raw, now)
  if (reading.kind !== 'open') throw new Error(`${reading.kind}, not open`)
  return reading.conversation
}

const caller = customer(['system', '00:00', '00:01'], ['interact', '00:01'])
const menu = party('ivr', [session([['ivr', '00:01', '00:30']])])
const answered = acd('q1', ['delay', '00:30', '00:31'], ['interact', '00:31', '01:10'])
const talking = (...more: Span[]): JsonObject =>
  agent('u1', session([['alert', '01:00', '01:10', onQueue('q1')], ...more]))

/** What goes on → state, since when, queue, user, and what else the case is about. */
const cases: readonly [name: string, participants: JsonObject[], expected: Partial<LiveConversation>][] = [
  [
    'in the menu',
    [caller, party('ivr', [session([['system', '00:01', '00:01'], ['ivr', '00:01']])])], // prettier-ignore
    { state: 'ivr', stateSince: t('00:01'), queueId: null, userId: null, waitingSince: null },
  ],
  [
    'with a bot',
    [caller, party('botflow', [session([['interact', '00:05']])])],
    { state: 'ivr', stateSince: t('00:05') },
  ],
  [
    'speaking to a mailbox',
    [caller, party('voicemail', [session([['voicemail', '00:40']])])],
    { state: 'ivr', stateSince: t('00:40') },
  ],
  [
    'just connected, nothing else yet',
    [customer(['system', '00:00', '00:01'], ['interact', '00:01'])],
    { state: 'other', stateSince: t('00:00'), mediaType: 'voice', userIds: null },
  ],
  [
    'waiting: since it entered the queue, the delay before the routing included',
    [caller, menu, acd('q1', ['delay', '00:30', '00:31'], ['interact', '00:31'])],
    { state: 'waiting', stateSince: t('00:30'), queueId: 'q1', userId: null, waitingSince: t('00:30') },
  ],
  [
    'ringing at an agent: the queue’s session goes on, and so does the wait',
    [
      caller,
      menu,
      acd('q1', ['delay', '00:30', '00:31'], ['interact', '00:31']),
      agent('u1', session([['alert', '01:00', null, onQueue('q1')]])),
    ],
    { state: 'alerting', stateSince: t('01:00'), queueId: 'q1', userId: 'u1', waitingSince: t('00:30') },
  ],
  [
    'ringing without a queue',
    [caller, agent('u1', session([['alert', '01:00']]))],
    { state: 'alerting', queueId: null, userId: 'u1', waitingSince: null },
  ],
  [
    'talking',
    [caller, menu, answered, talking(['interact', '01:10', null, onQueue('q1')])],
    { state: 'interacting', stateSince: t('01:10'), queueId: 'q1', userId: 'u1', userIds: ['u1'], waitingSince: null },
  ],
  [
    'on hold',
    [
      caller,
      menu,
      answered,
      talking(['interact', '01:10', '02:00', onQueue('q1')], ['hold', '02:00', null, onQueue('q1')]),
    ],
    { state: 'hold', stateSince: t('02:00'), queueId: 'q1', userId: 'u1' },
  ],
  [
    'talking again after a hold: since then',
    [caller, answered, talking(['interact', '01:10', '02:00'], ['hold', '02:00', '03:00'], ['interact', '03:00'])],
    { state: 'interacting', stateSince: t('03:00'), queueId: 'q1' },
  ],
  [
    'talking in two segments without a gap: since the first',
    [caller, answered, talking(['interact', '01:10', '02:00'], ['interact', '02:00', null, { audioMuted: true }])],
    { state: 'interacting', stateSince: t('01:10') },
  ],
  [
    'transferred blindly: waiting again, whatever after-call work the first agent does',
    [
      caller,
      answered,
      talking(['interact', '01:10', '04:00'], ['wrapup', '04:00', null, onQueue('q1')]),
      acd('q2', ['interact', '04:00']),
    ],
    {
      state: 'waiting',
      stateSince: t('04:00'),
      queueId: 'q2',
      userId: null,
      userIds: ['u1'],
      waitingSince: t('04:00'),
    },
  ],
  [
    'transferred and answered by another agent',
    [
      caller,
      answered,
      talking(['interact', '01:10', '04:00'], ['wrapup', '04:00']),
      acd('q2', ['interact', '04:00', '04:30']),
      agent('u2', session([['alert', '04:20', '04:30', onQueue('q2')], ['interact', '04:30', null, onQueue('q2')]])), // prettier-ignore
    ],
    { state: 'interacting', stateSince: t('04:30'), queueId: 'q2', userId: 'u2', userIds: ['u1', 'u2'] },
  ],
  [
    'consult, ringing at the colleague: the customer is on hold',
    [
      caller,
      answered,
      agent('u1', session([['interact', '01:10', '03:00', onQueue('q1')], ['hold', '03:00', null, onQueue('q1')]]), session([['dialing', '03:01']])), // prettier-ignore
      agent('u2', session([['alert', '03:02']])),
    ],
    { state: 'hold', stateSince: t('03:00'), queueId: 'q1', userId: 'u1', userIds: ['u1', 'u2'] },
  ],
  [
    'consult, talking with the colleague: the customer is still on hold',
    [
      caller,
      answered,
      agent('u1', session([['interact', '01:10', '03:00', onQueue('q1')], ['hold', '03:00', null, onQueue('q1')]]), session([['interact', '03:05']])), // prettier-ignore
      agent('u2', session([['alert', '03:02', '03:05'], ['interact', '03:05']])), // prettier-ignore
    ],
    { state: 'hold', stateSince: t('03:00'), userId: 'u1', userIds: ['u1', 'u2'] },
  ],
  [
    'consult, handed over: the colleague talks',
    [
      caller,
      answered,
      agent('u1', session([['hold', '03:00', '04:00']]), session([['interact', '03:05', '04:00']])),
      agent('u2', session([['alert', '03:02', '03:05'], ['interact', '03:05']])), // prettier-ignore
    ],
    { state: 'interacting', stateSince: t('03:05'), userId: 'u2', userIds: ['u2'] },
  ],
  [
    'conference: everyone talks, the first agent decides',
    [
      caller,
      answered,
      agent('u1', session([['interact', '01:10', null, { queueId: 'q1', conference: true }]])),
      agent('u2', session([['interact', '03:05', null, { conference: true }]])),
      party('external', [session([['interact', '03:06', null, { conference: true }]])]),
    ],
    {
      state: 'interacting',
      stateSince: t('01:10'),
      queueId: 'q1',
      userId: 'u1',
      userIds: ['u1', 'u2'],
      participants: 5,
    },
  ],
  [
    'conference in which one agent holds: another still talks',
    [
      caller,
      agent(
        'u1',
        session([['hold', '03:30', null, { conference: true }]]),
        session([['interact', '03:05', null, { conference: true }]]),
      ),
      agent('u2', session([['interact', '03:05', null, { conference: true }]])),
    ],
    { state: 'interacting', userIds: ['u1', 'u2'] },
  ],
  [
    'several agents ring at once: one state, all of them',
    [
      caller,
      acd('q1', ['interact', '00:30']),
      agent('u1', session([['alert', '01:02', null, onQueue('q1')]])),
      agent('u2', session([['alert', '01:00', null, onQueue('q1')]])),
    ],
    { state: 'alerting', stateSince: t('01:00'), userId: 'u2', userIds: ['u1', 'u2'], waitingSince: t('00:30') },
  ],
  [
    'an agent did not respond: waiting since the queue was entered, not since then',
    [
      caller,
      acd('q1', ['delay', '00:30', '00:31'], ['interact', '00:31']),
      agent('u1', session([['alert', '01:00', '01:20', { queueId: 'q1', disconnectType: 'noAnswerTransfer' }]])),
    ],
    { state: 'waiting', stateSince: t('00:30'), waitingSince: t('00:30'), queueId: 'q1', userId: null, userIds: null },
  ],
  [
    'a supervisor who listens in takes no part',
    [
      caller,
      talking(['interact', '01:10', null, onQueue('q1')]),
      party('user', [session([['monitoring', '01:30']], { monitoredParticipantId: 'p' })], 'boss'),
    ],
    { state: 'interacting', userId: 'u1', userIds: ['u1'] },
  ],
  [
    'a supervisor who barges in does, and decides nothing',
    [
      caller,
      talking(['interact', '01:10', null, onQueue('q1')]),
      party('user', [session([['barging', '01:30']])], 'boss'),
    ],
    { state: 'interacting', userId: 'u1', userIds: ['boss', 'u1'] },
  ],
  [
    'shared screens run beside the call',
    [
      caller,
      agent('u1', session([['interact', '01:00']], { mediaType: 'cobrowse' }), session([['interact', '01:10']])),
    ],
    { state: 'interacting', mediaType: 'voice', stateSince: t('01:10') },
  ],
  [
    'a callback that is not due',
    [
      party('customer', [
        session([['interact', '00:00', '00:50']]),
        session([['scheduled', '00:50', null, onQueue('q1')]], {
          mediaType: 'callback',
          callbackScheduledTime: '2026-11-23T09:00:00.000Z',
        }),
      ]),
    ],
    {
      state: 'scheduled',
      stateSince: t('00:50'),
      queueId: 'q1',
      mediaType: 'callback',
      scheduledAt: '2026-11-23T09:00:00.000Z',
    },
  ],
  [
    'a callback that an agent keeps for themself',
    [agent('u1', session([['scheduled', '00:50', null, onQueue('q1')]], { mediaType: 'callback' }))],
    { state: 'scheduled', userId: 'u1', queueId: 'q1' },
  ],
  [
    'a callback that is due waits in its queue',
    [
      party('customer', [session([['scheduled', '00:50', '20:00'], ['interact', '20:00', null, onQueue('q1')]], { mediaType: 'callback' })]), // prettier-ignore
      party('acd', [session([['interact', '20:00', null, onQueue('q1')]], { mediaType: 'callback' })]),
    ],
    { state: 'waiting', mediaType: 'callback', waitingSince: t('20:00'), queueId: 'q1' },
  ],
  [
    'an agent has accepted a callback and has not dialed yet',
    [agent('u1', session([['alert', '20:30', '20:40', onQueue('q1')], ['interact', '20:40', null, onQueue('q1')]], { mediaType: 'callback' }))], // prettier-ignore
    { state: 'interacting', mediaType: 'callback', userId: 'u1', queueId: 'q1' },
  ],
  [
    'the agent of a callback dials: the queue is that of the callback',
    [
      agent('u1', session([['interact', '20:40', null, onQueue('q1')]], { mediaType: 'callback' }), session([['contacting', '20:50', '20:51'], ['dialing', '20:51']], { direction: 'outbound' })), // prettier-ignore
      party('customer', [session([['dialing', '20:51']])]),
    ],
    { state: 'dialing', stateSince: t('20:50'), mediaType: 'voice', userId: 'u1', queueId: 'q1' },
  ],
  [
    'a preview that rings at its agent',
    [agent('u1', session([['alert', '10:00', null, onQueue('q1')]], { mediaType: 'callback', skipEnabled: true }))],
    { state: 'alerting', userId: 'u1', queueId: 'q1', waitingSince: null },
  ],
  [
    'a preview that its agent has opened counts as interacting, as for Genesys',
    [agent('u1', session([['alert', '10:00', '10:02', onQueue('q1')], ['interact', '10:02', null, onQueue('q1')]], { mediaType: 'callback', skipEnabled: true }))], // prettier-ignore
    { state: 'interacting', stateSince: t('10:02'), mediaType: 'callback' },
  ],
  [
    'the call of a preview is answered',
    [
      agent('u1', session([['interact', '10:02', null, onQueue('q1')]], { mediaType: 'callback' }), session([['contacting', '10:30', '10:31'], ['dialing', '10:31', '10:45'], ['interact', '10:45']])), // prettier-ignore
      party('customer', [session([['dialing', '10:31', '10:45'], ['interact', '10:45']])]), // prettier-ignore
    ],
    { state: 'interacting', stateSince: t('10:45'), mediaType: 'voice', queueId: 'q1', userId: 'u1' },
  ],
  [
    'a campaign dials',
    [party('outbound', [session([['dialing', '10:00']], { direction: 'outbound' })])],
    { state: 'dialing', stateSince: t('10:00'), userId: null },
  ],
  [
    'an agent dials by hand',
    [agent('u1', session([['contacting', '10:00', '10:01'], ['dialing', '10:01']])), party('external', [session([['dialing', '10:01']])])], // prettier-ignore
    { state: 'dialing', stateSince: t('10:00'), userId: 'u1' },
  ],
  [
    'one colleague calls another',
    [party('user', [session([['dialing', '10:00']])], 'u1'), party('user', [session([['alert', '10:00']])], 'u2')],
    { state: 'dialing', userId: 'u1', userIds: ['u1', 'u2'] },
  ],
  [
    'a parked e-mail: put aside by its agent',
    [
      party('customer', [session([['interact', '00:00']], { mediaType: 'email' })]),
      agent('u1', session([['interact', '01:00', '05:00'], ['parked', '05:00', null, onQueue('q1')]], { mediaType: 'email' })), // prettier-ignore
    ],
    { state: 'other', stateSince: t('05:00'), userId: 'u1', queueId: 'q1', mediaType: 'email' },
  ],
  [
    'a message whose agent is in after-call work while the customer could still write',
    [
      party('customer', [session([['interact', '00:00']], { mediaType: 'message', messageType: 'whatsapp' })]),
      agent('u1', session([['interact', '01:00', '05:00'], ['wrapup', '05:00', null, onQueue('q1')]], { mediaType: 'message' })), // prettier-ignore
    ],
    {
      state: 'acw',
      stateSince: t('05:00'),
      userId: 'u1',
      queueId: 'q1',
      mediaType: 'message',
      messageType: 'whatsapp',
    },
  ],
  [
    'skills and language asked for',
    [caller, acd('q1', ['interact', '00:30']), party('acd', [session([['interact', '00:31', null, { queueId: 'q1', requestedRoutingSkillIds: ['s1', 's2'], requestedLanguageId: 'l1' }]])])], // prettier-ignore
    { state: 'waiting', skillIds: ['s1', 's2'], languageId: 'l1' },
  ],
  [
    'a callback that an agent is working on, in spite of after-call work of an earlier call',
    [
      agent(
        'u1',
        session([['interact', '10:00', '20:00', onQueue('q1')], ['wrapup', '20:00', null, onQueue('q1')]]), // prettier-ignore
        session([['interact', '05:00', null, onQueue('q2')]], { mediaType: 'callback' }),
      ),
    ],
    { state: 'interacting', stateSince: t('05:00'), mediaType: 'callback', queueId: 'q2', userId: 'u1' },
  ],
]

/** Sessions and participants that have ended, while the conversation is open. */
const callerGone = customer(['system', '00:00', '00:01'], ['interact', '00:01', '05:00'])
const handled = (fields: JsonObject = {}, ...more: Span[]): JsonObject =>
  session([['alert', '01:00', '01:10', onQueue('q1')], ['interact', '01:10', '05:00', onQueue('q1')], ...more], fields) // prettier-ignore
const emitted = (...names: string[]): JsonObject => ({
  metrics: names.map((name) => ({ name, value: 1, emitDate: t('05:00') })),
})
const alertOnly = (fields: JsonObject = {}): JsonObject =>
  session([['alert', '00:40', '00:55', { queueId: 'q1', disconnectType: 'client' }]], fields)

/** After-call work that is shown by no open segment, and what is none. */
const inferred: readonly [name: string, participants: JsonObject[], expected: Partial<LiveConversation>][] = [
  [
    'since the end of the agent’s last segment, with agent and queue',
    [callerGone, menu, answered, agent('u1', handled(emitted('tAlert', 'tAnswered', 'tTalk')))],
    {
      state: 'acw',
      stateSince: t('05:00'),
      queueId: 'q1',
      userId: 'u1',
      userIds: ['u1'],
      mediaType: 'voice',
      agents: [agentOf('u1', 'acw', '05:00', 'q1')],
      waitingSince: null,
    },
  ],
  [
    'the queue is that of the session, not the first one, nor another one of the same agent',
    [
      customer(['interact', '00:01', '05:00', onQueue('q0')]),
      agent('u1', session([['interact', '01:10', '02:00', onQueue('q1')]], emitted('tTalk', 'tHandle')), session([['interact', '02:10', '05:01', onQueue('q2')]])), // prettier-ignore
    ],
    { state: 'acw', stateSince: t('05:01'), queueId: 'q2', agents: [agentOf('u1', 'acw', '05:01', 'q2')] },
  ],
  [
    'of a session that only has its queue on its alert',
    [callerGone, answered, talking(['interact', '01:10', '05:00'])],
    { state: 'acw', queueId: 'q1', userId: 'u1' },
  ],
  [
    'of a session without any queue, where nothing else explains why the conversation is open',
    [callerGone, agent('u1', session([['interact', '01:10', '05:00']]))],
    { state: 'acw', stateSince: t('05:00'), queueId: null, userId: 'u1' },
  ],
  [
    'of an outbound call that nobody answered',
    [agent('u1', session([['contacting', '01:00', '01:01', onQueue('q1')], ['dialing', '01:01', '02:00', onQueue('q1')]], { direction: 'outbound' }))], // prettier-ignore
    { state: 'acw', stateSince: t('02:00'), queueId: 'q1', userId: 'u1' },
  ],
  [
    'beside the customer’s open segment, as in messages',
    [caller, agent('u1', handled({ mediaType: 'message' }))],
    { state: 'acw', stateSince: t('05:00'), mediaType: 'message', userId: 'u1', queueId: 'q1' },
  ],
  [
    'of the first agent while the second talks, the customer’s state being that of the second',
    [
      caller,
      agent('u1', handled(emitted('tTalk', 'nTransferred'))),
      agent('u2', session([['interact', '05:10', null, onQueue('q2')]])),
    ],
    {
      state: 'interacting',
      stateSince: t('05:10'),
      queueId: 'q2',
      userId: 'u2',
      userIds: ['u1', 'u2'],
      agents: [agentOf('u1', 'acw', '05:00', 'q1'), agentOf('u2', 'interacting', '05:10', 'q2')],
    },
  ],
  [
    'of the first agent while the customer waits for the next one',
    [caller, agent('u1', handled()), acd('q2', ['interact', '05:00'])],
    { state: 'waiting', queueId: 'q2', userId: null, agents: [agentOf('u1', 'acw', '05:00', 'q1')] },
  ],
  [
    'an agent working on a new session is working, whatever metrics an earlier session still lacks',
    [caller, agent('u1', handled(), session([['interact', '06:00', null, onQueue('q1')]]))],
    { state: 'interacting', stateSince: t('06:00'), agents: [agentOf('u1', 'interacting', '06:00', 'q1')] },
  ],
  [
    'of both agents: the one who began first decides',
    [callerGone, agent('u2', handled({}, ['hold', '05:00', '05:30', onQueue('q1')])), agent('u1', handled())],
    { state: 'acw', stateSince: t('05:00'), userId: 'u1', userIds: ['u1', 'u2'] },
  ],
  ...['tHandle', 'tAcw'].map((name): (typeof inferred)[number] => [
    `none once ${name} was emitted`,
    [callerGone, menu, answered, agent('u1', handled(emitted('tTalk', name)))],
    { state: 'other', stateSince: null, queueId: null, userId: null, userIds: null, agents: null, mediaType: 'voice' },
  ]),
  [
    'none where it was skipped',
    [callerGone, agent('u1', handled({ acwSkipped: true }))],
    { state: 'other', agents: null },
  ],
  [
    'not skipped is not skipped',
    [callerGone, agent('u1', handled({ acwSkipped: false }))],
    { state: 'acw', userId: 'u1' },
  ],
  [
    'none once its segment has ended, though the metrics are late',
    [callerGone, agent('u1', handled({}, ['wrapup', '05:00', '05:20', onQueue('q1')]))],
    { state: 'other', agents: null },
  ],
  [
    'none of an agent who did not answer, whatever their metrics',
    [
      caller,
      acd('q1', ['interact', '00:30']),
      agent('u1', alertOnly(emitted('tAlert', 'tNotResponding', 'nError'))),
      agent('u2', alertOnly(emitted('tAlert', 'tNotResponding', 'tAcw', 'tHandle'))),
    ],
    { state: 'waiting', queueId: 'q1', userIds: null, agents: null },
  ],
  [
    'none of an agent who did not answer, where nothing else goes on either',
    [callerGone, agent('u1', alertOnly())],
    { state: 'other', userIds: null, agents: null },
  ],
  [
    'none of a colleague who was consulted without a queue',
    [
      caller,
      agent('u1', session([['interact', '01:10', null, onQueue('q1')]])),
      agent('u2', session([['alert', '02:00', '02:05'], ['interact', '02:05', '03:00']])), // prettier-ignore
      party('user', [session([['interact', '03:05', '03:30']])], 'u3'),
    ],
    { state: 'interacting', userIds: ['u1'] },
  ],
  [
    'the queue’s agent decides, not the colleague whom they consulted',
    [callerGone, agent('u2', session([['interact', '02:05', '03:00']])), agent('u1', handled())],
    { state: 'acw', stateSince: t('05:00'), userId: 'u1', userIds: ['u1'] },
  ],
]

describe('after-call work without an open segment', () => {
  it.each(inferred)('%s', (_name, participants, expected) => {
    expect(open(conversation(participants))).toMatchObject(expected)
  })

  it('is the same as with an open segment of type wrapup', () => {
    const participants = (...more: Span[]): JsonObject[] => [
      callerGone,
      menu,
      answered,
      agent('u1', handled({}, ...more)),
    ]
    expect(open(conversation(participants()))).toEqual(
      open(conversation(participants(['wrapup', '05:00', null, onQueue('q1')]))),
    )
  })

  it('lasts for at most an hour after the session ended', () => {
    const participants = [callerGone, agent('u1', handled())]
    const read = (time: string): LiveConversation => {
      const reading = readAnalytics(conversation(participants), new Date(time))
      if (reading.kind !== 'open') throw new Error(reading.kind)
      return reading.conversation
    }
    expect(read('2026-11-22T12:05:00.000Z')).toMatchObject({ state: 'acw', userId: 'u1' })
    expect(read('2026-11-22T12:05:00.001Z')).toMatchObject({ state: 'other', userId: null, userIds: null })
  })

  it('is over when the conversation has its end', () => {
    const raw = conversation([callerGone, agent('u1', handled())], { conversationEnd: t('05:00') })
    expect(readAnalytics(raw, now)).toEqual({ kind: 'ended', conversationId: 'c1', endedAt: t('05:00') })
  })
})

/** Who takes part → what each does themself, since when, for which queue. */
const agentCases: readonly [name: string, participants: JsonObject[], agents: LiveAgent[] | null][] = [
  ['nobody there: none', [caller, acd('q1', ['interact', '00:30'])], null],
  [
    'one who talks',
    [caller, answered, talking(['interact', '01:10', null, onQueue('q1')])],
    [agentOf('u1', 'interacting', '01:10', 'q1')],
  ],
  [
    'transferred: the first in wrap-up while the second talks',
    [
      caller,
      answered,
      talking(['interact', '01:10', '04:00', onQueue('q1')], ['wrapup', '04:00', null, onQueue('q1')]),
      acd('q2', ['interact', '04:00', '04:30']),
      agent('u2', session([['alert', '04:20', '04:30', onQueue('q2')], ['interact', '04:30', null, onQueue('q2')]])), // prettier-ignore
    ],
    [agentOf('u1', 'acw', '04:00', 'q1'), agentOf('u2', 'interacting', '04:30', 'q2')],
  ],
  [
    'transferred blindly: the first in wrap-up while the customer waits',
    [
      caller,
      answered,
      talking(['interact', '01:10', '04:00'], ['wrapup', '04:00', null, onQueue('q1')]),
      acd('q2', ['interact', '04:00']),
    ],
    [agentOf('u1', 'acw', '04:00', 'q1')],
  ],
  [
    'transferred to one at whom it rings',
    [
      caller,
      talking(['interact', '01:10', '04:00', onQueue('q1')], ['wrapup', '04:00', null, onQueue('q1')]),
      acd('q2', ['interact', '04:00']),
      agent('u2', session([['alert', '04:20']])),
    ],
    [agentOf('u1', 'acw', '04:00', 'q1'), agentOf('u2', 'alerting', '04:20', 'q2')],
  ],
  [
    'consult, ringing at the colleague',
    [
      caller,
      answered,
      agent('u1', session([['interact', '01:10', '03:00', onQueue('q1')], ['hold', '03:00', null, onQueue('q1')]]), session([['dialing', '03:01']])), // prettier-ignore
      agent('u2', session([['alert', '03:02']])),
    ],
    [agentOf('u1', 'hold', '03:00', 'q1'), agentOf('u2', 'alerting', '03:02', null)],
  ],
  [
    'consult, talking with the colleague: who consults has the customer on hold',
    [
      caller,
      answered,
      agent('u1', session([['interact', '01:10', '03:00', onQueue('q1')], ['hold', '03:00', null, onQueue('q1')]]), session([['interact', '03:05']])), // prettier-ignore
      agent('u2', session([['alert', '03:02', '03:05'], ['interact', '03:05']])), // prettier-ignore
    ],
    [agentOf('u1', 'hold', '03:00', 'q1'), agentOf('u2', 'interacting', '03:05', null)],
  ],
  [
    'conference that one joined later',
    [
      caller,
      agent('u1', session([['interact', '01:10', null, { queueId: 'q1', conference: true }]])),
      agent('u2', session([['interact', '03:05', null, { conference: true }]])),
    ],
    [agentOf('u1', 'interacting', '01:10', 'q1'), agentOf('u2', 'interacting', '03:05', null)],
  ],
  [
    'conference in which one talks with a party held beside it',
    [
      caller,
      agent(
        'u1',
        session([['hold', '03:30', null, { conference: true }]]),
        session([['interact', '03:05', null, { conference: true }]]),
      ),
      agent('u2', session([['interact', '03:06', null, { conference: true }]])),
    ],
    [agentOf('u1', 'interacting', '03:05', null), agentOf('u2', 'interacting', '03:06', null)],
  ],
  [
    'several at whom it rings',
    [
      caller,
      acd('q1', ['interact', '00:30']),
      agent('u2', session([['alert', '01:00', null, onQueue('q1')]])),
      agent('u1', session([['alert', '01:02', null, onQueue('q1')]])),
    ],
    [agentOf('u1', 'alerting', '01:02', 'q1'), agentOf('u2', 'alerting', '01:00', 'q1')],
  ],
  [
    'the agent of a callback who dials',
    [
      agent('u1', session([['interact', '20:40', null, onQueue('q1')]], { mediaType: 'callback' }), session([['contacting', '20:50', '20:51'], ['dialing', '20:51']])), // prettier-ignore
    ],
    [agentOf('u1', 'dialing', '20:50', 'q1')],
  ],
]

describe('the agents of a conversation', () => {
  it.each(agentCases)('%s', (_name, participants, agents) => {
    const found = open(conversation(participants))
    expect(found.agents).toEqual(agents)
    expect(found.agents?.map((each) => each.user_id) ?? null).toEqual(found.userIds)
  })

  it('are the same in whatever order participants and sessions come', () => {
    for (const [name, participants, agents] of agentCases) {
      const turned = participants.toReversed().map((each) => ({
        ...each,
        sessions: (each['sessions'] as JsonObject[]).toReversed(),
      }))
      expect(open(conversation(turned)).agents, name).toEqual(agents)
    }
  })
})

describe('a conversation of the details query', () => {
  it.each(cases)('%s', (_name, participants, expected) => {
    expect(open(conversation(participants))).toMatchObject(expected)
  })

  it('gives the same row in whatever order participants and sessions come', () => {
    for (const [name, participants] of cases) {
      const turned = participants.toReversed().map((each) => ({
        ...each,
        sessions: (each['sessions'] as JsonObject[]).toReversed(),
      }))
      expect(open(conversation(turned)), name).toEqual(open(conversation(participants)))
    }
  })

  it('keeps what identifies it', () => {
    expect(open(conversation([caller]))).toMatchObject({
      conversationId: 'c1',
      conversationStart: t('00:00'),
      direction: 'inbound',
      divisionIds: ['d1'],
      participants: 1,
    })
  })

  it('has no names, addresses or numbers of people', () => {
    const personal = session([['interact', '01:00', null, { subject: 'my illness', wrapUpNote: 'note' }]], {
      ani: 'tel:+15550100',
      remote: 'Jane Doe',
      addressFrom: 'jane@example.com',
    })
    const text = JSON.stringify(open(conversation([party('customer', [personal]), agent('u1', personal)])))
    expect(text).not.toMatch(/illness|note|555|Jane|jane|name of/)
  })

  describe('that has ended', () => {
    const end = (at: string): JsonObject => ({ conversationEnd: at })
    const wrapping = [
      caller,
      talking(['interact', '01:10', '40:00', onQueue('q1')], ['wrapup', '40:00', null, onQueue('q1')]),
    ]

    it('is in after-call work for as long as an agent is', () => {
      const reading = readAnalytics(conversation(wrapping, end(t('40:00'))), now)
      expect(reading).toMatchObject({ kind: 'open', endedAt: t('40:00') })
      expect(open(conversation(wrapping, end(t('40:00'))))).toMatchObject({ state: 'acw', userId: 'u1', queueId: 'q1' })
    })

    it('but for an hour at most: then the end of that segment was lost', () => {
      const longAgo = '2026-11-22T10:59:59.000Z'
      expect(readAnalytics(conversation(wrapping, end(longAgo)), now)).toEqual({
        kind: 'ended',
        conversationId: 'c1',
        endedAt: longAgo,
      })
    })

    it('is over without that, whatever other segment was left open', () => {
      const raw = conversation([caller, acd('q1', ['interact', '00:30'])], end(t('41:00')))
      expect(readAnalytics(raw, now)).toEqual({ kind: 'ended', conversationId: 'c1', endedAt: t('41:00') })
    })
  })

  it.each([
    ['no object', [1], 'not an object'],
    ['no id', { conversationStart: t('00:00') }, 'no conversationId'],
    ['no start', { conversationId: 'c1' }, 'no valid conversationStart'],
  ])('with %s is refused, with a reason', (_name, raw, reason) => {
    expect(readAnalytics(raw, now)).toEqual({ kind: 'rejected', reason })
  })

  it.each([
    ['nothing inside', {}],
    ['null everywhere', { participants: null, divisionIds: null, originatingDirection: null }],
    ['misfits among its children', { participants: [null, 7, 'x', { sessions: [null, { segments: [null, {}] }] }] }],
    ['other types', { participants: { a: 1 }, divisionIds: 'd', originatingDirection: 5 }],
    [
      'numbers no double holds',
      parseJson(
        '{"participants":[{"purpose":9007199254740993,"sessions":[{"mediaType":1e400,"segments":[{"segmentType":1e400}]}]}]}',
      ) as JsonObject,
    ],
    [
      'unknown words',
      {
        participants: [
          {
            purpose: 'oracle',
            sessions: [{ mediaType: 'hologram', segments: [{ segmentType: 'teleporting', segmentStart: 'soon' }] }],
          },
        ],
      },
    ],
    [
      'names of Object.prototype',
      {
        participants: [
          { purpose: 'constructor', userId: 'u', sessions: [{ segments: [{ segmentType: 'toString' }] }] },
        ],
      },
    ],
  ])('with %s is open and other', (_name, fields) => {
    const raw = { conversationId: 'c1', conversationStart: t('00:00'), ...fields }
    expect(open(raw)).toMatchObject({ state: 'other', stateSince: null })
  })

  it('treats an invalid start as missing, and replaces characters that Postgres refuses by U+FFFD', () => {
    const raw = conversation([agent('u\0', session([['interact', 'xx']]))])
    expect(open(raw)).toMatchObject({ state: 'interacting', stateSince: null, userId: 'u\uFFFD' })
  })
})

describe('a conversation of GET /conversations', () => {
  const entity = (participants: JsonObject[], fields: JsonObject = {}): JsonObject => ({
    id: 'c1',
    startTime: t('00:00'),
    divisions: [{ division: { id: 'd1' } }],
    participants,
    ...fields,
  })
  const someone = (purpose: string, list: string, communication: JsonObject, fields: JsonObject = {}): JsonObject => ({
    purpose,
    startTime: t('00:00'),
    [list]: [{ direction: 'inbound', ...communication }],
    ...fields,
  })
  const caller = someone('customer', 'calls', { state: 'connected', connectedTime: t('00:01') })
  const agent = (communication: JsonObject, fields: JsonObject = {}): JsonObject =>
    someone('agent', 'calls', communication, { userId: 'u1', queueId: 'q1', ...fields })

  const cases: readonly [string, JsonObject[], Partial<LiveConversation>][] = [
    ['in the menu', [caller, someone('ivr', 'calls', { state: 'connected', connectedTime: t('00:02') })], { state: 'ivr', stateSince: t('00:02') }],
    ['waiting', [caller, someone('acd', 'calls', { state: 'connected', connectedTime: t('00:30') }, { queueId: 'q1' })], { state: 'waiting', queueId: 'q1', waitingSince: t('00:30') }],
    ['ringing', [caller, agent({ state: 'alerting', startAlertingTime: t('01:00') })], { state: 'alerting', stateSince: t('01:00'), userId: 'u1', queueId: 'q1' }],
    ['talking', [caller, agent({ state: 'connected', connectedTime: t('01:10'), held: false })], { state: 'interacting', stateSince: t('01:10'), direction: 'inbound' }],
    ['on hold', [caller, agent({ state: 'connected', connectedTime: t('01:10'), held: true, startHoldTime: t('02:00') })], { state: 'hold', stateSince: t('02:00') }],
    ['dialing', [agent({ state: 'dialing' }), someone('customer', 'calls', { state: 'dialing' })], { state: 'dialing', userId: 'u1' }],
    ['in after-call work', [agent({ state: 'disconnected', disconnectedTime: t('05:00') }, { startAcwTime: t('05:00') })], { state: 'acw', stateSince: t('05:00'), userId: 'u1' }],
    ['after-call work that is done', [caller, agent({ state: 'disconnected' }, { startAcwTime: t('05:00'), endAcwTime: t('05:10') })], { state: 'other', userId: null }],
    ['a parked e-mail', [someone('agent', 'emails', { state: 'parked', parkTime: t('06:00') }, { userId: 'u1' })], { state: 'other', mediaType: 'email', stateSince: t('06:00') }],
    ['a callback that is not due', [someone('customer', 'callbacks', { state: 'scheduled', callbackScheduledTime: t('50:00') })], { state: 'scheduled', mediaType: 'callback', scheduledAt: t('50:00') }],
    ['a message', [someone('agent', 'messages', { state: 'connected', connectedTime: t('03:00'), type: 'sms' }, { userId: 'u1' })], { state: 'interacting', mediaType: 'message', messageType: 'sms' }],
    ['someone listening in', [caller, agent({ state: 'connected', connectedTime: t('01:10') }), someone('user', 'calls', { state: 'connected' }, { userId: 'boss', monitoredParticipantId: 'p' })], { state: 'interacting', userIds: ['u1'] }],
  ] // prettier-ignore

  it.each(cases)('%s', (_name, participants, expected) => {
    const reading = readConversation(entity(participants))
    expect(reading).toMatchObject({
      kind: 'open',
      conversation: { conversationId: 'c1', divisionIds: ['d1'], ...expected },
    })
  })

  it('has each agent’s own state', () => {
    const first = agent({ state: 'disconnected', disconnectedTime: t('05:00') }, { startAcwTime: t('05:00') })
    const second = agent({ state: 'connected', connectedTime: t('05:10') }, { userId: 'u2', queueId: 'q2' })
    expect(readConversation(entity([caller, first, second]))).toMatchObject({
      conversation: {
        state: 'interacting',
        agents: [agentOf('u1', 'acw', '05:00', 'q1'), agentOf('u2', 'interacting', '05:10', 'q2')],
      },
    })
  })

  it('has ended when it has an end', () => {
    expect(readConversation(entity([caller], { endTime: t('09:00') }))).toEqual({
      kind: 'ended',
      conversationId: 'c1',
      endedAt: t('09:00'),
    })
  })

  it.each([[null], [{}], [{ id: 'c1' }], [{ id: 'c1', startTime: 'soon', participants: 3 }]])('refuses %j', (raw) => {
    expect(readConversation(raw).kind).toBe('rejected')
  })
})

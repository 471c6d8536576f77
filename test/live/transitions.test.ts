import { describe, expect, it } from 'vitest'
import type { LiveConversation } from '../../src/live/state.ts'
import { parseEventRule, transitions, type EndedConversation, type EventRule } from '../../src/live/transitions.ts'

const at = (seconds: number): Date => new Date(Date.UTC(2026, 10, 22, 12, 0, seconds))
const iso = (seconds: number): string => at(seconds).toISOString()

function conversation(fields: Partial<LiveConversation> = {}): LiveConversation {
  return {
    conversationId: 'c1',
    conversationStart: iso(0),
    mediaType: 'voice',
    messageType: null,
    direction: 'inbound',
    state: 'waiting',
    stateSince: iso(10),
    queueId: 'q1',
    userId: null,
    userIds: null,
    agents: null,
    waitingSince: iso(10),
    divisionIds: null,
    participants: 2,
    skillIds: null,
    languageId: null,
    scheduledAt: null,
    ...fields,
  }
}

const rulesOf = (texts: readonly string[]): EventRule[] => texts.map(parseEventRule).filter((rule) => rule !== null)

/** The events between snapshots a minute apart, at second 60 and second 120. */
function between(
  rules: string[],
  before: LiveConversation[] | null,
  after: LiveConversation[],
  ended: EndedConversation[] = [],
  now = 120,
): ReturnType<typeof transitions> {
  const byId = new Map(before?.map((each) => [each.conversationId, each]))
  const previous = before && { at: at(now - 60), conversations: byId }
  return transitions(rulesOf(rules), previous, { at: at(now), conversations: after }, ended)
}
const names = (events: ReturnType<typeof transitions>): string[] => events.map(({ event }) => event)

const waiting = conversation()
const interacting = conversation({ state: 'interacting', stateSince: iso(70), userId: 'u1', waitingSince: null })

describe('states', () => {
  it('are reported when they are entered, and only those of the rules', () => {
    expect(names(between(['waiting', 'interacting'], [waiting], [interacting]))).toEqual(['interacting'])
    expect(names(between(['waiting'], [waiting], [interacting]))).toEqual([])
    expect(names(between([], [waiting], [interacting]))).toEqual([])
  })

  it('are reported of a new conversation', () => {
    expect(names(between(['waiting'], [], [waiting]))).toEqual(['waiting'])
  })

  it('are not reported again while nothing changes', () => {
    expect(between(['waiting'], [waiting], [waiting])).toEqual([])
  })

  it('are reported again when they were left and entered between two snapshots', () => {
    const again = conversation({ stateSince: iso(100), waitingSince: iso(100), queueId: 'q2' })
    expect(names(between(['waiting'], [waiting], [again]))).toEqual(['waiting'])
  })

  it('are not reported again when another agent decides who had been there before', () => {
    const both = conversation({ state: 'interacting', stateSince: iso(20), userId: 'u1' })
    const other = conversation({ state: 'interacting', stateSince: iso(50), userId: 'u2' })
    expect(between(['interacting'], [both], [other])).toEqual([])
  })

  it('of the first snapshot ever are not reported: nothing is known to have changed', () => {
    expect(between(['waiting', 'waiting>1s', 'ended'], null, [waiting])).toEqual([])
  })
})

describe('times spent in a state', () => {
  it('are reported when they are exceeded, with the threshold', () => {
    const [event] = between(['waiting>100s'], [waiting], [waiting])
    expect(event).toMatchObject({ event: 'waiting>100s', data: { state: 'waiting', thresholdSeconds: 100 } })
    expect(between(['waiting>110s'], [waiting], [waiting])).toEqual([])
    expect(between(['hold>10s'], [waiting], [waiting])).toEqual([])
  })

  it('have one key for each stay: an agent who does not respond does not start a second wait', () => {
    const [first] = between(['waiting>30s'], [waiting], [waiting])
    const ringing = conversation({ state: 'alerting', stateSince: iso(130) })
    const [second] = between(['waiting>30s'], [ringing], [waiting], [], 180)
    const [other] = between(
      ['waiting>30s'],
      [waiting],
      [conversation({ waitingSince: iso(100), stateSince: iso(100) })],
      [],
      180,
    )
    expect(second?.key).toBe(first?.key)
    expect(other?.key).not.toBe(first?.key)
  })

  it('are measured from when the queue was entered, even after an agent did not respond', () => {
    // Waiting for 130 seconds, ringing for most of them: back for 10 seconds.
    const back = conversation({ waitingSince: iso(50), stateSince: iso(170) })
    const ringing = conversation({ state: 'alerting', waitingSince: iso(50), stateSince: iso(60) })
    expect(names(between(['waiting>120s'], [ringing], [back], [], 180))).toEqual(['waiting>120s'])
    expect(between(['waiting>131s'], [ringing], [back], [], 180)).toEqual([])
  })

  it('times of an unknown length cause no event', () => {
    expect(between(['waiting>1s'], [], [conversation({ stateSince: null, waitingSince: null })])).toEqual([])
  })
})

describe('the end', () => {
  it('an ended event has the time of the end and the state before', () => {
    const [event] = between(['ended'], [interacting], [], [{ conversation: interacting, endedAt: iso(90) }])
    expect(event).toMatchObject({
      event: 'ended',
      conversationId: 'c1',
      data: { state: 'ended', previousState: 'interacting', endedAt: iso(90), queueId: 'q1', userId: 'u1' },
    })
  })

  it('is not reported of a conversation that only left, or without a rule for it', () => {
    expect(between(['ended'], [interacting], [])).toEqual([])
    expect(between(['waiting'], [interacting], [], [{ conversation: interacting, endedAt: iso(90) }])).toEqual([])
  })
})

it('reports ids and states, and nothing else', () => {
  const [event] = between(['interacting'], [waiting], [interacting])
  expect(event?.data).toEqual({
    conversationId: 'c1',
    conversationStart: iso(0),
    state: 'interacting',
    previousState: 'waiting',
    stateSince: iso(70),
    waitingSince: null,
    queueId: 'q1',
    userId: 'u1',
    mediaType: 'voice',
    direction: 'inbound',
    snapshotAt: iso(120),
  })
})

it('parses the rules of WEBHOOK_EVENTS, and no others', () => {
  expect(['waiting', 'waiting>120s', 'ended'].map(parseEventRule)).toEqual([
    { on: 'entered', state: 'waiting' },
    { on: 'exceeded', state: 'waiting', seconds: 120 },
    { on: 'ended' },
  ])
  for (const text of ['dancing', 'ended>5s', 'waiting>120', 'Waiting', 'toString', '', 'waiting>-1s'])
    expect(parseEventRule(text), text).toBeNull()
})

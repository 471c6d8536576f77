/** The events between two snapshots that the rules of WEBHOOK_EVENTS ask for. Pure. */
import { LIVE_STATES, type LiveConversation, type LiveState } from './state.ts'

/** A rule of WEBHOOK_EVENTS: a state is entered, a time spent in a state is exceeded, or the conversation ends. */
export type EventRule =
  | { readonly on: 'entered'; readonly state: LiveState }
  | { readonly on: 'exceeded'; readonly state: LiveState; readonly seconds: number }
  | { readonly on: 'ended' }

/** What WEBHOOK_EVENTS allows, for error messages. */
export const EVENT_RULES_HINT = `must be one of ended, ${LIVE_STATES.join(', ')}, or a state with a time such as waiting>120s`

/** A change to report. It holds ids and states only: no personal data. */
export interface LiveEvent {
  /** The same for the same event however often it is derived: a threshold is reported once for each stay in a state. */
  readonly key: string
  /** The text of the rule, e.g. `waiting>120s`. */
  readonly event: string
  readonly conversationId: string
  readonly data: Readonly<Record<string, string | number | null>>
}

/** A conversation of the previous snapshot that has ended since, after-call work included. */
export interface EndedConversation {
  readonly conversation: LiveConversation
  /** The end of its last segment: that of the after-call work if there was any. */
  readonly endedAt: string | null
}

/** Parses one rule of WEBHOOK_EVENTS; null: there is no such rule (see EVENT_RULES_HINT). */
export function parseEventRule(text: string): EventRule | null {
  if (text === 'ended') return { on: 'ended' }
  const [, name, seconds] = /^([a-z]+)(?:>(\d+)s)?$/.exec(text) ?? []
  const state = LIVE_STATES.find((known) => known === name)
  if (state === undefined) return null
  return seconds === undefined ? { on: 'entered', state } : { on: 'exceeded', state, seconds: Number(seconds) }
}

/**
 * The events between two complete snapshots, for each conversation in order: the state entered, the time exceeded, the end.
 * A state counts as entered when the previous snapshot showed another one, or the same one with an earlier start (a second
 * wait between two snapshots).
 * @param previous the previous snapshot, its conversations by id; null: there is none, so there are no events
 * @param current the new snapshot
 * @param ended conversations that were in the previous snapshot and have ended
 */
export function transitions(
  rules: readonly EventRule[],
  previous: { readonly at: Date; readonly conversations: ReadonlyMap<string, LiveConversation> } | null,
  current: { readonly at: Date; readonly conversations: Iterable<LiveConversation> },
  ended: Iterable<EndedConversation>,
): LiveEvent[] {
  if (previous === null || rules.length === 0) return []
  const events: LiveEvent[] = []
  for (const conversation of current.conversations) {
    const before = previous.conversations.get(conversation.conversationId)
    for (const rule of rules) {
      if (rule.on === 'entered' && rule.state === conversation.state && hasEntered(before, conversation, previous.at))
        events.push(enteredEvent(conversation, before, current.at))
      if (rule.on === 'exceeded' && rule.state === conversation.state) {
        const event = exceededEvent(rule, conversation, before, current.at)
        if (event) events.push(event)
      }
    }
  }
  if (rules.some((rule) => rule.on === 'ended')) for (const each of ended) events.push(endedEvent(each, current.at))
  return events
}

function hasEntered(before: LiveConversation | undefined, now: LiveConversation, previousAt: Date): boolean {
  if (before === undefined || before.state !== now.state) return true
  // The same state, but begun after the previous snapshot: it was left and entered again in between.
  return (
    now.stateSince !== null && Date.parse(now.stateSince) > previousAt.getTime() && now.stateSince !== before.stateSince
  )
}

function enteredEvent(now: LiveConversation, before: LiveConversation | undefined, at: Date): LiveEvent {
  return {
    key: `${now.state}/${now.conversationId}/${at.toISOString()}`,
    event: now.state,
    conversationId: now.conversationId,
    data: { ...eventData(now, at), previousState: before?.state ?? null },
  }
}

/** A wait is measured from when the queue was entered: an agent who does not respond does not restart it. */
function exceededEvent(
  rule: { readonly state: LiveState; readonly seconds: number },
  now: LiveConversation,
  before: LiveConversation | undefined,
  at: Date,
): LiveEvent | null {
  const since = now.state === 'waiting' ? (now.waitingSince ?? now.stateSince) : now.stateSince
  if (since === null || at.getTime() - Date.parse(since) <= rule.seconds * 1000) return null
  const event = `${rule.state}>${rule.seconds}s`
  return {
    key: `${event}/${now.conversationId}/${since}`,
    event,
    conversationId: now.conversationId,
    data: { ...eventData(now, at), previousState: before?.state ?? null, thresholdSeconds: rule.seconds },
  }
}

function endedEvent({ conversation, endedAt }: EndedConversation, at: Date): LiveEvent {
  return {
    key: `ended/${conversation.conversationId}/${endedAt ?? at.toISOString()}`,
    event: 'ended',
    conversationId: conversation.conversationId,
    data: { ...eventData(conversation, at), state: 'ended', previousState: conversation.state, endedAt },
  }
}

function eventData(conversation: LiveConversation, at: Date): Record<string, string | number | null> {
  const { conversationId, conversationStart, state, stateSince, waitingSince } = conversation
  const { queueId, userId, mediaType, direction } = conversation
  return {
    conversationId,
    conversationStart,
    state,
    stateSince,
    waitingSince,
    queueId,
    userId,
    mediaType,
    direction,
    snapshotAt: at.toISOString(),
  }
}

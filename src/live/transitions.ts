/** What has changed between two snapshots, as far as the rules of WEBHOOK_EVENTS ask for it. */
import type { LiveConversation, LiveState } from './state.ts'

/** A rule of WEBHOOK_EVENTS: a state that is entered, a time spent in a state, or the end. */
export type EventRule =
  | { readonly on: 'entered'; readonly state: LiveState }
  | { readonly on: 'exceeded'; readonly state: LiveState; readonly seconds: number }
  | { readonly on: 'ended' }

/** A change that a receiver is to be told. Ids and states only: nothing of it is personal data. */
export interface LiveEvent {
  /** Equal for the same event however often it is derived: a threshold is told once for each stay in a state. */
  readonly key: string
  /** The rule's text, e.g. `waiting>120s`. */
  readonly event: string
  readonly conversationId: string
  readonly data: Readonly<Record<string, string | number | null>>
}

/** A conversation that was in the previous snapshot and has ended since, after-call work included. */
export interface EndedConversation {
  readonly conversation: LiveConversation
  /** The end of its last segment, which is that of the after-call work where there was any. */
  readonly endedAt: string | null
}

/** Reads WEBHOOK_EVENTS, already split; unknown rules, which the configuration refuses, are left out. */
export function parseRules(events: readonly string[]): EventRule[] {
  return events.flatMap((text): EventRule[] => {
    const [, state, seconds] = /^([a-z]+)(?:>(\d+)s)?$/.exec(text) ?? []
    if (state === undefined) return []
    if (state === 'ended') return [{ on: 'ended' }]
    if (seconds === undefined) return [{ on: 'entered', state: state as LiveState }]
    return [{ on: 'exceeded', state: state as LiveState, seconds: Number(seconds) }]
  })
}

/**
 * The events between two complete snapshots, in order for each conversation: what it entered, what it exceeded, its end.
 * A state is entered when the snapshot before showed another one, or the same one of an earlier time (a second wait between
 * two looks). Without a snapshot before there is nothing to compare with, and no event.
 * @param previous the conversations of the snapshot before, by id, and its instant
 * @param at the instant of this snapshot
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
        events.push(entered(conversation, before, current.at))
      if (rule.on === 'exceeded' && rule.state === conversation.state) {
        const event = exceeded(rule, conversation, before, current.at)
        if (event) events.push(event)
      }
    }
  }
  if (rules.some((rule) => rule.on === 'ended')) {
    for (const { conversation, endedAt } of ended) {
      events.push({
        key: `ended/${conversation.conversationId}/${endedAt ?? current.at.toISOString()}`,
        event: 'ended',
        conversationId: conversation.conversationId,
        data: { ...facts(conversation, current.at), state: 'ended', previousState: conversation.state, endedAt },
      })
    }
  }
  return events
}

function hasEntered(before: LiveConversation | undefined, now: LiveConversation, previousAt: Date): boolean {
  if (before === undefined || before.state !== now.state) return true
  // The same state, but begun after the last look: it was left and entered again in between.
  return (
    now.stateSince !== null && Date.parse(now.stateSince) > previousAt.getTime() && now.stateSince !== before.stateSince
  )
}

function entered(now: LiveConversation, before: LiveConversation | undefined, at: Date): LiveEvent {
  return {
    key: `${now.state}/${now.conversationId}/${at.toISOString()}`,
    event: now.state,
    conversationId: now.conversationId,
    data: { ...facts(now, at), previousState: before?.state ?? null },
  }
}

/** A wait is measured from when the queue was entered: an agent who does not respond does not start it anew. */
function exceeded(
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
    data: { ...facts(now, at), previousState: before?.state ?? null, thresholdSeconds: rule.seconds },
  }
}

function facts(conversation: LiveConversation, at: Date): Record<string, string | number | null> {
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

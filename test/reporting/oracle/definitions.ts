/** The definitions of the reporting contract, over nested objects: who is an agent, who is the customer, what comes first. */
import type { Conversation, Instant, Metric, Segment, Session } from './read-json.ts'

/** The metric rows that count: those with a value. */
export function counted(sessions: readonly Session[], name: string): Metric[] {
  return sessions.flatMap(({ metrics }) => metrics).filter((metric) => metric.name === name && metric.value !== null)
}

/** Their number. */
export function events(sessions: readonly Session[], name: string): bigint {
  return BigInt(counted(sessions, name).length)
}

/** Their sum. */
export function total(sessions: readonly Session[], name: string): bigint {
  return counted(sessions, name).reduce((sum, { value }) => sum + value!, 0n)
}

/** Their sum in seconds; null where there is none. */
export function seconds(sessions: readonly Session[], name: string): number | null {
  return counted(sessions, name).length > 0 ? Number(total(sessions, name)) / 1000 : null
}

export function isAgentSession({ participant }: Session): boolean {
  return participant.purpose === 'agent' || participant.purpose === 'user'
}

/** Whether an agent took part in it. */
export function isConnected(session: Session): boolean {
  return (
    counted([session], 'tTalkComplete').length > 0 ||
    counted([session], 'tTalk').length > 0 ||
    session.segments.some(({ type }) => type === 'interact')
  )
}

/** The sessions of the customer. One without any session is as none. */
export function sessionsOfCustomer({ sessions }: Conversation): Session[] {
  const of = (purpose: string) => sessions.filter(({ participant }) => participant.purpose === purpose)
  return of('customer').length > 0 ? of('customer') : of('external')
}

/** In the order of their starts, then of their places; a start that is not readable is the earliest. */
function inOrder<Item extends { readonly start: Instant | null; readonly index: number }>(
  items: readonly Item[],
): Item[] {
  return items.toSorted((a, b) => (a.start ?? -1e18) - (b.start ?? -1e18) || a.index - b.index)
}

export function firstSegment(segments: readonly Segment[]): Segment | undefined {
  return inOrder(segments)[0]
}

export function lastSegment(segments: readonly Segment[]): Segment | undefined {
  return inOrder(segments).at(-1)
}

/** The earliest readable start of a session's segments; null where there is none. */
export function startOf({ segments }: Session): Instant | null {
  const starts = segments.flatMap(({ start }) => start ?? [])
  return starts.length > 0 ? Math.min(...starts) : null
}

/** The latest end of the segments; null where there is none, or one of them is open. */
export function endOf(segments: readonly Segment[]): Instant | null {
  if (segments.length === 0 || segments.some(({ end }) => end === null)) return null
  return Math.max(...segments.map(({ end }) => end!))
}

/** Sessions in the order in which they began. */
export function byStart(sessions: readonly Session[]): Session[] {
  return inOrder(sessions.map((session) => ({ session, start: startOf(session), index: session.index }))).map(
    ({ session }) => session,
  )
}

/** The session of the segment that began last; without any segment the one that comes last. */
export function lastSession(sessions: readonly Session[]): Session | undefined {
  const last = lastSegment(sessions.flatMap(({ segments }) => segments))
  return last ? sessions.find(({ segments }) => segments.includes(last)) : sessions.at(-1)
}

/**
 * The queue that a session is in at an instant: of its segments with a queue the one that began last until then, else the one that begins
 * first. A start that is not readable is the earliest. Null as the instant: none has begun.
 */
export function queueAt({ segments }: Session, at: Instant | null): string | null {
  const queued = inOrder(segments.filter(({ queueId }) => queueId !== null))
  const begun = at === null ? [] : queued.filter(({ start }) => (start ?? -Infinity) <= at)
  return (begun.at(-1) ?? queued[0])?.queueId ?? null
}

/** The queue of a session as a whole: the one that it ends in, where the metrics that close it count. */
export function queueOf(session: Session): string | null {
  return queueAt(session, Infinity)
}

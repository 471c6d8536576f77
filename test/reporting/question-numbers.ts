/**
 * The numbers of docs/analytics.md, computed from the organization's records alone: no table, no view and no code
 * of src/. Written for clarity, not for speed.
 */

type JsonRecord = Readonly<Record<string, unknown>>

/** A metric with what it is attributed to. */
export interface Event {
  readonly name: string
  readonly value: number
  readonly at: Date
  readonly queueId: string | null
  readonly userId: string | null
  readonly mediaType: string | null
  readonly campaignId: string | null
}

/** A session with its participant. */
export interface Session {
  readonly purpose: string
  readonly userId: string | null
  readonly mediaType: string | null
  readonly direction: string | null
  readonly segments: readonly Segment[]
  readonly events: readonly Event[]
  /** The customer's address, if it is the customer's session. */
  readonly address: string | null
}

interface Segment {
  readonly type: string | null
  readonly queueId: string | null
  readonly start: Date
  readonly end: Date | null
  readonly wrapUpCode: string | null
}

/** A conversation, read. */
export interface Contact {
  readonly id: string
  readonly start: Date
  readonly direction: string | null
  readonly sessions: readonly Session[]
}

const list = (value: unknown): readonly JsonRecord[] => (Array.isArray(value) ? (value as JsonRecord[]) : [])
const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)
const date = (value: unknown): Date | null => (typeof value === 'string' ? new Date(value) : null)

/** Reads a well-formed record. */
export function readContact(record: JsonRecord): Contact {
  const sessions = list(record['participants']).flatMap((participant) =>
    list(participant['sessions']).map((session) => readSession(participant, session)),
  )
  return {
    id: String(record['conversationId']),
    start: new Date(String(record['conversationStart'])),
    direction: text(record['originatingDirection']),
    sessions,
  }
}

function readSession(participant: JsonRecord, session: JsonRecord): Session {
  const segments = list(session['segments']).map((segment) => ({
    type: text(segment['segmentType']),
    queueId: text(segment['queueId']),
    start: new Date(String(segment['segmentStart'])),
    end: date(segment['segmentEnd']),
    wrapUpCode: text(segment['wrapUpCode']),
  }))
  const userId = text(participant['userId'])
  const mediaType = text(session['mediaType'])
  const events = list(session['metrics']).map((metric) => {
    const at = new Date(String(metric['emitDate']))
    return {
      name: String(metric['name']),
      value: Number(metric['value']),
      at,
      queueId: queueAt(segments, at),
      userId,
      mediaType,
      campaignId: text(session['outboundCampaignId']),
    }
  })
  return {
    purpose: String(participant['purpose']),
    userId,
    mediaType,
    direction: text(session['direction']),
    segments,
    events,
    address: addressOf(session),
  }
}

/** The first of what names the customer: who is called in an outbound session, who calls in others. */
function addressOf(session: JsonRecord): string | null {
  const fields = session['direction'] === 'outbound' ? ['dnis', 'addressTo'] : ['ani', 'addressFrom']
  const numbers = Array.isArray(session['callbackNumbers']) ? (session['callbackNumbers'] as unknown[]) : []
  const found = [...fields.map((field) => session[field]), session['addressSelf'], ...numbers].map(text)
  return found.find((address) => address !== null && !/anonymous/i.test(address)) ?? null
}

/** One spelling for `tel:+1 555`, `sip:+1555@host` and the like. */
function plainAddress(address: string): string {
  const bare = address.replace(/^(?:tel|sips?|mailto):/i, '').replace(/[;?].*$/, '')
  const number = bare.replace(/@.*$/, '').replaceAll(/[\s().-]/g, '')
  return /^\+?\d+$/.test(number) ? number : bare.toLowerCase()
}

/** The queue of the segment that began last before an instant; the first one where none had begun. */
function queueAt(segments: readonly Segment[], at: Date): string | null {
  const inQueue = segments.filter(({ queueId }) => queueId !== null)
  const byStart = inQueue.toSorted((a, b) => +a.start - +b.start)
  return (byStart.findLast(({ start }) => start <= at) ?? byStart[0])?.queueId ?? null
}

/** The events of a range of time. */
export function eventsOf(contacts: readonly Contact[], from: Date, to: Date): Event[] {
  return contacts
    .flatMap(({ sessions }) => sessions)
    .flatMap(({ events }) => events)
    .filter(({ at }) => at >= from && at < to)
}

/** The sum of the values of a metric. */
export function sumOf(events: readonly Event[], name: string): number {
  return events.reduce((sum, event) => (event.name === name ? sum + event.value : sum), 0)
}

/** The number of events of a metric. */
export function countOf(events: readonly Event[], name: string): number {
  return events.filter((event) => event.name === name).length
}

/** The mean of a metric in seconds; null without one. */
export function secondsOf(events: readonly Event[], name: string): number | null {
  const count = countOf(events, name)
  return count === 0 ? null : sumOf(events, name) / count / 1000
}

/** A value between the sorted values, as percentile_cont. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const place = share * (sorted.length - 1)
  const below = sorted[Math.floor(place)]!
  const above = sorted[Math.ceil(place)]!
  return below + (above - below) * (place - Math.floor(place))
}

/** The session's segments of a kind, in order. */
export function segmentsOf({ segments }: Session, type: string): Session['segments'] {
  return segments.filter((segment) => segment.type === type).toSorted((a, b) => +a.start - +b.start)
}

/** The customer's address: that of the first of their sessions that has one. */
export function customerAddress({ sessions }: Contact): string | null {
  const own = sessions.filter(({ purpose }) => purpose === 'customer')
  const customer = own.length > 0 ? own : sessions.filter(({ purpose }) => purpose === 'external')
  const address = customer.find(({ address }) => address !== null)?.address
  return address ? plainAddress(address) : null
}

/** The entries into queues, in their order, with the wait in seconds; null: not counted. */
export function queueEntries({ sessions }: Contact) {
  return sessions
    .filter(({ purpose }) => purpose === 'acd')
    .map((session) => {
      const segments = session.segments.toSorted((a, b) => +a.start - +b.start)
      const left = session.events.find(({ name }) => name === 'tAcd')
      return {
        session,
        enteredAt: segments[0]!.start,
        queueId: segments.find(({ queueId }) => queueId !== null)?.queueId ?? null,
        isOpen: segments.some(({ end }) => end === null),
        leftAt: left?.at ?? null,
        waitSeconds: left ? left.value / 1000 : null,
      }
    })
    .toSorted((a, b) => +a.enteredAt - +b.enteredAt)
}

/** Groups of items by a key, with null as a key of its own. */
export function grouped<Item>(items: readonly Item[], keyOf: (item: Item) => string | null): [string | null, Item[]][] {
  return [...Map.groupBy(items, keyOf)]
}

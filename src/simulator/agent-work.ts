import type { Queue, User } from './org.ts'
import {
  addAgent,
  addLeg,
  addParticipant,
  addSpan,
  addStats,
  inQueueFlow,
  joinDivision,
  pickAgent,
  routing,
  state,
  type ConversationBuilder,
  type QueueMedia,
} from './conversation-builder.ts'
import type { Json, Leg, Participant, QueueOutcome } from './conversation-plan.ts'

/** The timing of a medium, in milliseconds. */
export interface MediaTiming {
  readonly media: QueueMedia
  /** Mean time until an agent is free. */
  readonly waitMean: number
  /** Mean patience of the customer; Infinity where nobody gives up. */
  readonly patienceMean: number
  /** What it is when the customer gives up. */
  readonly givesUp: 'abandoned' | 'left'
  /** Share of contacts that are answered for the agent, without an alert. */
  readonly autoAnswerShare: number
  readonly alertMax: number
  readonly talkMedian: number
  readonly acwMedian: number
  readonly holdShare: number
  /** How often an agent holds at most: once or twice on the phone; written contacts are on hold whenever another one interrupts. */
  readonly holdsMax: number
}

export const VOICE_TIMING: MediaTiming = {
  media: 'voice',
  waitMean: 28_000,
  patienceMean: 240_000,
  givesUp: 'abandoned',
  autoAnswerShare: 0,
  alertMax: 11_000,
  talkMedian: 190_000,
  acwMedian: 35_000,
  holdShare: 0.28,
  holdsMax: 2,
}

/** How a stay in a queue went. */
export interface QueueVisit {
  readonly outcome: QueueOutcome
  readonly queue: Queue
  readonly user: User | undefined
  readonly agent: Participant | undefined
  /** The answering agent's session, its alert already in it. */
  readonly leg: Leg | undefined
  /** Answered, abandoned or left at. */
  readonly at: number
}

/** The agent who had the thread before: routing prefers them, and their new session belongs to the same participant. */
export interface LastAgent {
  readonly user: User
  readonly agent: Participant
}

/** How the session of a queue or of an agent begins, by medium. */
type SessionFields = (role: 'acd' | 'agent', user?: User) => Json

interface QueueOptions {
  readonly flowInType?: string
  /** An agent who is not offered the conversation first. */
  readonly not?: User | undefined
  readonly last?: LastAgent | undefined
}

/** A stay in a queue while it lasts. */
interface Stay {
  readonly builder: ConversationBuilder
  readonly queue: Queue
  readonly timing: MediaTiming
  readonly session: SessionFields
  readonly acdLeg: Leg
  /** The outcome can change until the stay ends. */
  readonly measure: NonNullable<Leg['queue']>
  readonly peerId: string
  readonly routingFields: Json
  readonly entered: number
}

/**
 * A conversation enters a queue and waits until an agent answers, the customer gives up, or the in-queue flow takes it away.
 * The queue's session lasts until the answer, the alerting included, as in real answers of the API.
 */
export function waitInQueue(
  builder: ConversationBuilder,
  start: number,
  queue: Queue,
  timing: MediaTiming,
  session: SessionFields,
  options: QueueOptions = {},
): QueueVisit {
  const { random } = builder
  const stay = enterQueue(builder, start, queue, timing, session, options)
  const { entered } = stay
  const patience = timing.patienceMean === Infinity ? Infinity : random.exponential(timing.patienceMean) + 900
  let offered = entered + 150 + random.exponential(timing.waitMean)
  let { not } = options
  for (let attempt = 0; ; attempt++) {
    if (offered - entered > patience) return leaveQueue(stay, entered + patience, timing.givesUp)
    if (attempt === 0 && random.chance(0.01)) return leaveQueue(stay, offered, 'flowOut')
    const offer = offerToAgent(stay, offered, attempt, attempt === 0 ? options.last : undefined, not)
    const { leg, user, answer } = offer
    if (answer - entered > patience) {
      addSpan(leg, 'alert', offered, entered + patience, { queueId: queue.id, disconnectType: 'peer' })
      return leaveQueue(stay, entered + patience, timing.givesUp)
    }
    if (offer.responds) return answerContact(stay, offered, offer)
    leaveUnanswered(builder, leg, offered, answer, stay.routingFields)
    not = user
    offered = answer + random.int(100, 2_500)
  }
}

function enterQueue(
  builder: ConversationBuilder,
  start: number,
  queue: Queue,
  timing: MediaTiming,
  session: SessionFields,
  { flowInType }: QueueOptions,
): Stay {
  const { random } = builder
  joinDivision(builder, queue.divisionId, start)
  const entered = start + random.int(20, 60)
  const peerId = random.uuid()
  const flow = inQueueFlow(builder, timing.media)
  const acd = addParticipant(builder, 'acd', { participantName: queue.name })
  const measure = {
    outcome: 'answered' as QueueOutcome,
    serviceLevelMs: queue.serviceLevelMs[timing.media],
    shortAbandonMs: queue.shortAbandonMs,
  }
  const fields = {
    ...session('acd'),
    ...(flowInType !== undefined && { flowInType }),
    peerId,
    requestedRoutings: ['Standard'],
  }
  const acdLeg = addLeg(builder, acd, fields, { queue: measure, ...(flow && { flow }) })
  const routingFields = routing(builder, queue)
  addSpan(acdLeg, 'delay', start, entered, { queueId: queue.id })
  return { builder, queue, timing, session, acdLeg, measure, peerId, routingFields, entered }
}

/** The customer gives up, or the in-queue flow takes the conversation away. */
function leaveQueue(stay: Stay, at: number, outcome: Exclude<QueueOutcome, 'answered'>): QueueVisit {
  const { builder, queue, acdLeg, measure, routingFields, entered } = stay
  measure.outcome = outcome
  if (outcome === 'flowOut') acdLeg.session['flowOutType'] = builder.random.pick(['agent', 'acd', 'voicemail'])
  addSpan(acdLeg, 'interact', entered, at, {
    ...routingFields,
    disconnectType: outcome === 'flowOut' ? 'transfer' : 'peer',
  })
  return { outcome, queue, user: undefined, agent: undefined, leg: undefined, at }
}

/** A conversation offered to an agent. */
interface Offer {
  readonly user: User
  readonly agent: Participant
  readonly leg: Leg
  /** Answered for the agent, without an alert. */
  readonly isAutomatic: boolean
  readonly responds: boolean
  /** When the agent answers, or the alert ends. */
  readonly answer: number
}

function offerToAgent(
  { builder, queue, timing, session, peerId }: Stay,
  offered: number,
  attempt: number,
  last: LastAgent | undefined,
  not: User | undefined,
): Offer {
  const { random } = builder
  const user = last?.user ?? pickAgent(builder, queue, not)
  const agent = last?.agent ?? addAgent(builder, user)
  const isAutomatic = random.chance(timing.autoAnswerShare)
  joinDivision(builder, user.divisionId, offered)
  const leg = addLeg(builder, agent, {
    ...session('agent', user),
    peerId,
    requestedRoutings: ['Standard'],
    selectedAgentId: user.id,
    usedRouting: last ? 'Last' : 'Standard',
  })
  const responds = isAutomatic || attempt >= 2 || !random.chance(0.06)
  const answer = offered + (isAutomatic ? 0 : responds ? random.int(800, timing.alertMax) : 20_000)
  return { user, agent, leg, isAutomatic, responds, answer }
}

function answerContact(stay: Stay, offered: number, { user, agent, leg, isAutomatic, answer }: Offer): QueueVisit {
  const { queue, acdLeg, routingFields, entered } = stay
  if (!isAutomatic) addSpan(leg, 'alert', offered, answer, routingFields)
  addSpan(acdLeg, 'interact', entered, answer, { ...routingFields, disconnectType: 'transfer' })
  acdLeg.session['selectedAgentId'] = user.id
  acdLeg.session['usedRouting'] = leg.session['usedRouting']
  leg.waitedMs = answer - entered
  return { outcome: 'answered', queue, user, agent, leg, at: answer }
}

/**
 * An agent does not answer. The alert ends by `noAnswerTransfer` or, as in a genuine record of 2024, by `client`; then the
 * agent can even have after-call work, and with it tAcw and tHandle.
 */
function leaveUnanswered(builder: ConversationBuilder, leg: Leg, from: number, to: number, asked: Json): void {
  const { random } = builder
  const byClient = random.chance(0.4)
  leg.notResponding = true
  addSpan(leg, 'alert', from, to, { ...asked, disconnectType: byClient ? 'client' : 'noAnswerTransfer' })
  if (!byClient) return
  state(leg, 'nError', 1, to)
  if (random.chance(0.6)) addAcw(builder, leg, to, to + random.int(15_000, 90_000), { queueId: asked['queueId'] })
}

/** Adds after-call work in the form that the conversation has it; its metric is mostly shorter than the segment. */
function addAcw(builder: ConversationBuilder, leg: Leg, start: number, end: number, fields: Json): void {
  const { random } = builder
  const span = addSpan(leg, 'wrapup', start, end, fields)
  span.appearsAtEnd = !builder.isAcwOpen
  if (end - start > 12_000 && random.chance(0.6)) span.shortfall = random.int(300, 5_000)
}

/** Talks, with holds now and then. Gives the instant at which the talking ends; the last segment carries how. */
export function talk(
  builder: ConversationBuilder,
  leg: Leg,
  start: number,
  queue: Queue | undefined,
  timing: MediaTiming,
  ending: Json,
): number {
  const { random } = builder
  const fields = queue ? { queueId: queue.id } : {}
  let at = start
  const holds = random.chance(timing.holdShare) ? random.int(1, timing.holdsMax) : 0
  const talkDuration = (): number => Math.max(1_500, random.skewed(timing.talkMedian / (holds + 1), 0.7))
  for (let i = 0; i < holds; i++) {
    const talked = at + talkDuration()
    addSpan(leg, 'interact', at, talked, fields)
    at = talked + Math.max(2_000, random.skewed(40_000, 0.8))
    // Some customers hang up while they are on hold.
    if (i === holds - 1 && random.chance(0.15)) {
      addSpan(leg, 'hold', talked, at, { ...fields, ...ending })
      return at
    }
    addSpan(leg, 'hold', talked, at, fields)
  }
  const end = at + talkDuration()
  addSpan(leg, 'interact', at, end, { ...fields, ...(random.chance(0.03) && { audioMuted: true }), ...ending })
  return end
}

/** After-call work, sometimes skipped, sometimes cut off by the timeout. Returns the instant at which it ends. */
export function wrapUp(
  builder: ConversationBuilder,
  leg: Leg,
  start: number,
  queue: Queue | undefined,
  timing: MediaTiming,
): number {
  const { random, org } = builder
  if (random.chance(0.12)) {
    leg.session['acwSkipped'] = true
    return start
  }
  const timedOut = random.chance(0.06)
  const end = start + (timedOut ? 120_000 : Math.max(900, random.skewed(timing.acwMedian, 0.8)))
  addAcw(builder, leg, start, end, {
    ...(queue && { queueId: queue.id }),
    wrapUpCode: timedOut ? 'ININ-WRAP-UP-TIMEOUT' : random.pick(org.wrapUpCodes).id,
    ...(random.chance(0.15) && { wrapUpNote: note(builder) }),
    ...(random.chance(0.05) && { wrapUpTags: random.sample(['vip', 'callback', 'complaint', 'upsell'], 2) }),
  })
  return end
}

function note(builder: ConversationBuilder): string {
  const { random, contact } = builder
  return random.pick([
    `Spoke to ${contact.name}, reachable at ${contact.phone}.`,
    `Customer asked for a copy by e-mail to ${contact.email}.`,
    'Order checked,\ncustomer informed.\tNo further action.',
    'Refund of 12.50 agreed; see ticket.',
    'Kunde wünscht Rückruf nächste Woche.',
  ])
}

/** The ends of a call: who hung up. Gives the agent's and the customer's side. */
export function hangUp(builder: ConversationBuilder): { agent: Json; customer: Json } {
  return builder.random.chance(0.7)
    ? { agent: { disconnectType: 'peer' }, customer: { disconnectType: 'endpoint' } }
    : { agent: { disconnectType: 'client' }, customer: { disconnectType: 'peer' } }
}

/** Closes a voice session of an agent: audio figures, errors now and then. */
export function finishVoice(builder: ConversationBuilder, leg: Leg, at: number): void {
  const { random } = builder
  addStats(builder, leg, at)
  if (random.chance(0.02)) {
    state(leg, 'nError', 1, at)
    leg.session['errorCodeDescription'] = 'The media connection was lost'
    const last = leg.spans.findLast((span) => span.type !== 'wrapup')
    if (last) Object.assign(last.fields, { errorCode: 'error.ininedgecontrol.connection.media.endpoint' })
  }
  if (random.chance(0.004)) state(leg, 'nStateTransitionError', 1, at)
}

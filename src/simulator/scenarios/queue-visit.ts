import { addAcw } from './agent-work.ts'
import {
  addAgent,
  addLeg,
  addParticipant,
  addSpan,
  inQueueFlow,
  joinDivision,
  pickAgent,
  routing,
  state,
  type ConversationBuilder,
} from './conversation-builder.ts'
import type { Json, Leg, Participant, QueueOutcome } from '../conversation-plan.ts'
import type { MediaTiming } from './media-timing.ts'
import type { Queue, User } from '../org.ts'

/** The result of a stay in a queue. */
export interface QueueVisit {
  readonly outcome: QueueOutcome
  readonly queue: Queue
  readonly user: User | undefined
  readonly agent: Participant | undefined
  /** The answering agent's session, its alert already in it. */
  readonly leg: Leg | undefined
  /** When it was answered, abandoned or left. */
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
  const { random, behavior } = builder
  const stay = enterQueue(builder, start, queue, timing, session, options)
  const { entered } = stay
  const patience = timing.patienceMeanMs === Infinity ? Infinity : random.exponential(timing.patienceMeanMs) + 900
  // nobody waits on the line for an e-mail: it takes as long in quiet hours
  const strain = timing.media === 'email' ? 1 : behavior.strain(queue, entered)
  let offered = entered + 150 + random.exponential(timing.waitMeanMs * strain)
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
  const answer = offered + (isAutomatic ? 0 : responds ? random.int(800, timing.alertMaxMs) : 20_000)
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

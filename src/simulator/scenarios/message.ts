import { talk } from './agent-work.ts'
import type { MediaTiming } from './media-timing.ts'
import { waitInQueue, type LastAgent } from './queue-visit.ts'
import {
  addContact,
  addLeg,
  addParticipant,
  addSpan,
  flowOf,
  flowRun,
  joinDivision,
  pickQueue,
  state,
  type ConversationBuilder,
} from './conversation-builder.ts'
import { endOf, type Json, type Leg } from '../conversation-plan.ts'
import type { Queue } from '../org.ts'
import { handleWrittenContact, nextReply } from './written-work.ts'

const HOUR_MS = 3_600_000
/** How long after the last disconnect a reply reopens a thread: the default of Genesys. */
const REOPENS_WITHIN_MS = 72 * HOUR_MS
const MEAN_REPLY_MS = 14 * HOUR_MS

const TIMING: MediaTiming = {
  media: 'message',
  waitMeanMs: 60_000,
  patienceMeanMs: 3_600_000,
  // Messaging has no abandon: a customer who leaves while waiting is in no metric but nOffered and tAcd.
  givesUp: 'left',
  autoAnswerShare: 0.25,
  alertMaxMs: 9_000,
  talkMedianMs: 900_000,
  acwMedianMs: 25_000,
  holdShare: 0.35,
  holdsMax: 6,
}

const CHANNELS: Readonly<Record<string, { provider: string; engagementSource?: string }>> = {
  webmessaging: { provider: 'PureCloud Webmessaging', engagementSource: 'WebChat' },
  sms: { provider: 'PureCloud Messaging' },
  whatsapp: { provider: 'PureCloud Messaging', engagementSource: 'WhatsApp' },
  open: { provider: 'PureCloud Messaging', engagementSource: 'OpenMessaging' },
}

/**
 * A message thread: often a bot answers first, sometimes alone. A thread can be handed to another queue, where mostly the
 * same agent goes on, and is reopened by replies within 72 hours, some again and again for weeks.
 */
export function message(builder: ConversationBuilder): void {
  const { random, plan } = builder
  const session = messageSession(builder)
  const customer = addContact(builder)
  const customerLeg = addLeg(builder, customer, {
    ...session(),
    ...(random.chance(0.3) && { authenticated: random.chance(0.7) }),
    ...(random.chance(0.2) && { mediaCount: random.int(1, 4) }),
  })
  const queue = pickQueue(builder)
  let at = plan.start + 40
  if (random.chance(0.6)) {
    const bot = answerByBot(builder, at, queue, session)
    if (bot.served) {
      addSpan(customerLeg, 'interact', plan.start, bot.end, { disconnectType: 'peer' })
      return
    }
    at = bot.end
  }
  let round = addRound(builder, {
    start: plan.start,
    queuedAt: at + 30,
    queue,
    firstQueue: queue,
    customerLeg,
    session,
  })
  for (let rounds = 1; ; rounds++) {
    const again = nextReply(builder, rounds, round.over, MEAN_REPLY_MS, REOPENS_WITHIN_MS)
    if (again === undefined) break
    plan.pauses.push([round.over, again])
    const leg = addLeg(builder, customer, session())
    const next = random.chance(0.7) ? round.queue : pickQueue(builder)
    round = addRound(builder, {
      start: again,
      queuedAt: again + 40,
      queue: next,
      firstQueue: queue,
      customerLeg: leg,
      session,
      ...(round.last && { last: round.last }),
    })
  }
  plan.inactivityMs = REOPENS_WITHIN_MS
}

/** Chooses the channel of the thread. Returns what makes the fields of its sessions. */
function messageSession(builder: ConversationBuilder): () => Json {
  const { random, plan, contact } = builder
  const messageType = random.weighted({ webmessaging: 5, whatsapp: 3, sms: 2, open: 0.4 })
  const { provider, engagementSource } = CHANNELS[messageType] as { provider: string; engagementSource?: string }
  const address = messageType === 'sms' ? contact.phone : random.uuid()
  Object.assign(plan.head, {
    originatingDirection: 'inbound',
    conversationInitiator: 'customer',
    customerParticipation: true,
  })
  return () => ({
    addressFrom: address,
    addressTo: messageType === 'sms' ? '+18005550111' : random.uuid(),
    direction: 'inbound',
    ...(engagementSource !== undefined && { engagementSource }),
    mediaType: 'message',
    messageType,
    provider,
    remote: contact.name,
  })
}

/** A bot answers first. Returns when it ended, and whether it served the customer to the end. */
function answerByBot(
  builder: ConversationBuilder,
  start: number,
  queue: Queue,
  session: () => Json,
): { readonly end: number; readonly served: boolean } {
  const { random, plan, org } = builder
  const flow = flowOf(builder, 'DIGITALBOT')
  const end = start + Math.max(3_000, random.skewed(70_000, 0.8))
  const served = random.chance(0.3)
  joinDivision(builder, flow.divisionId, start)
  if (random.chance(0.3)) plan.head['knowledgeBaseIds'] = [org.groups[0]?.id]
  const bot = addLeg(builder, addParticipant(builder, 'botflow', { participantName: flow.name }), session(), {
    flow: flowRun(builder, flow, {
      entry: flow.id,
      entryType: 'flow',
      exitReason: served ? 'DISCONNECT' : 'TRANSFER',
      queue: served ? undefined : queue,
      from: start,
      to: end,
    }),
  })
  addSpan(bot, 'interact', start, end, { disconnectType: served ? 'client' : 'transfer' })
  state(bot, 'nBotInteractions', 1, end)
  plan.head['selfServed'] = served
  return { end, served }
}

/** What a message thread does from a message of the customer until it is closed. */
interface Round {
  readonly start: number
  /** When it enters the queue. */
  readonly queuedAt: number
  readonly queue: Queue
  readonly firstQueue: Queue
  readonly customerLeg: Leg
  readonly session: () => Json
  readonly last?: LastAgent
}

/** Adds one round of a thread, with a transfer to another queue now and then. Returns when and where it ended, and with which agent. */
function addRound(
  builder: ConversationBuilder,
  round: Round,
): { readonly over: number; readonly queue: Queue; readonly last: LastAgent | undefined } {
  const { random } = builder
  const { session, firstQueue } = round
  const timing = random.chance(0.2) ? { ...TIMING, talkMedianMs: 4 * HOUR_MS } : TIMING
  const isSameAgent = (): boolean => random.chance(0.75)
  let { queue } = round
  let last = isSameAgent() ? round.last : undefined
  let visit = waitInQueue(builder, round.queuedAt, queue, timing, session, { flowInType: 'flow', last })
  for (let transfers = 0; visit.leg && transfers < 3 && random.chance(0.08); transfers++) {
    const at = talk(builder, visit.leg, visit.at, queue, TIMING, { disconnectType: 'transfer' })
    state(visit.leg, 'nTransferred', 1, at)
    state(visit.leg, 'nBlindTransferred', 1, at)
    visit.leg.session['acwSkipped'] = true
    const before = queue.id
    queue = random.pick(builder.org.queues.filter(({ id }) => id !== before))
    last = isSameAgent() && visit.user && visit.agent ? { user: visit.user, agent: visit.agent } : undefined
    visit = waitInQueue(builder, at + 40, queue, timing, session, { flowInType: 'agent', last })
  }
  const end = handleWrittenContact(builder, visit, timing, { disconnectType: 'client' }, round.customerLeg)
  addSpan(round.customerLeg, 'interact', round.start, end, {
    queueId: firstQueue.id,
    disconnectType: random.chance(0.2) ? 'inactivity' : 'peer',
  })
  const agent = visit.user && visit.agent ? { user: visit.user, agent: visit.agent } : last
  return { over: endOf(builder.plan), queue, last: agent }
}

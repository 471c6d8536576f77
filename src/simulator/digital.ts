import { talk, waitInQueue, wrapUp, type LastAgent, type QueueVisit, type MediaTiming } from './agent-work.ts'
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
import type { Queue } from './org.ts'
import { endOf, iso, type Json, type Leg } from './conversation-plan.ts'

const CHAT_TIMING: MediaTiming = {
  media: 'chat',
  waitMean: 22_000,
  patienceMean: 200_000,
  givesUp: 'abandoned',
  autoAnswerShare: 0,
  alertMax: 9_000,
  talkMedian: 420_000,
  acwMedian: 25_000,
  holdShare: 0.25,
  holdsMax: 3,
}
const MESSAGE_TIMING: MediaTiming = {
  ...CHAT_TIMING,
  media: 'message',
  waitMean: 60_000,
  patienceMean: 3_600_000,
  // Messaging knows no abandon: who leaves while waiting is in no metric but nOffered and tAcd.
  givesUp: 'left',
  autoAnswerShare: 0.25,
  talkMedian: 900_000,
  holdShare: 0.35,
  holdsMax: 6,
}
const EMAIL_TIMING: MediaTiming = {
  media: 'email',
  waitMean: 5_400_000,
  patienceMean: Infinity,
  givesUp: 'abandoned',
  autoAnswerShare: 0.1,
  alertMax: 60_000,
  talkMedian: 420_000,
  acwMedian: 20_000,
  holdShare: 0.2,
  holdsMax: 2,
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** How long after the last disconnect a reply reopens a thread: the defaults of Genesys. */
const MESSAGE_REOPENS_WITHIN_MS = 72 * HOUR_MS
const EMAIL_REOPENS_WITHIN_MS = 30 * DAY_MS
/** No round of a thread begins later than this after its start, so that the store knows where to look for open ones. */
const LAST_ROUND_WITHIN_MS = 40 * DAY_MS

/**
 * When the next reply reopens a thread, if one does: the more rounds a thread has had, the likelier is another one.
 * @param ended when the thread's last segment ended
 * @returns milliseconds since 1970; undefined where the thread stays ended
 */
function nextReply(
  builder: ConversationBuilder,
  rounds: number,
  ended: number,
  mean: number,
  within: number,
): number | undefined {
  const { random, behavior, plan } = builder
  if (!random.chance(rounds === 1 ? behavior.reopenedShare : 0.7)) return undefined
  const again = ended + Math.min(60_000 + random.exponential(mean), within - 1)
  return again - plan.start > LAST_ROUND_WITHIN_MS ? undefined : again
}

/** What an agent's written exchange is measured by. */
function exchange(builder: ConversationBuilder, leg: Leg, from: number, to: number): void {
  const { random } = builder
  const turns = random.int(1, 6)
  state(leg, 'tFirstEngagement', random.int(1_000, 9_000), from)
  state(leg, 'tFirstResponse', random.int(5_000, 60_000), from + Math.floor((to - from) / 8))
  state(leg, 'tAgentResponseTime', random.int(5_000, 90_000), from + Math.floor((to - from) / 4))
  state(leg, 'tUserResponseTime', random.int(5_000, 90_000), from + Math.floor((to - from) / 3))
  state(leg, 'oMessageTurn', turns, to)
}

/** The agent's part of a written contact. Returns when it ended, after-call work apart. */
function serve(builder: ConversationBuilder, visit: QueueVisit, timing: MediaTiming, ending: Json): number {
  if (!visit.leg) return visit.at
  const end = talk(builder, visit.leg, visit.at, visit.queue, timing, ending)
  exchange(builder, visit.leg, visit.at, end)
  wrapUp(builder, visit.leg, end, visit.queue, timing)
  return end
}

/** A chat on the website. */
export function chat(builder: ConversationBuilder): void {
  const { random, plan, contact } = builder
  plan.head['originatingDirection'] = 'inbound'
  const queue = pickQueue(builder)
  const session = (): Json => ({
    direction: 'inbound',
    mediaType: 'chat',
    provider: 'Webchat Provider',
    remote: contact.name,
    roomId: random.uuid(),
  })
  const leg = addLeg(builder, addContact(builder), {
    ...session(),
    requestedRoutings: ['Standard'],
    usedRouting: 'Standard',
  })
  const visit = waitInQueue(builder, plan.start + 5, queue, CHAT_TIMING, session, { flowInType: 'flow' })
  const timeout = random.chance(0.1)
  const end = serve(builder, visit, CHAT_TIMING, { disconnectType: timeout ? 'peer' : 'client' })
  addSpan(leg, 'interact', plan.start, end, { queueId: queue.id, disconnectType: timeout ? 'timeout' : 'peer' })
}

const channels: Readonly<Record<string, { provider: string; engagementSource?: string }>> = {
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
  const { random, plan, contact, org } = builder
  const messageType = random.weighted({ webmessaging: 5, whatsapp: 3, sms: 2, open: 0.4 })
  const { provider, engagementSource } = channels[messageType] as { provider: string; engagementSource?: string }
  const address = messageType === 'sms' ? contact.phone : random.uuid()
  Object.assign(plan.head, {
    originatingDirection: 'inbound',
    conversationInitiator: 'customer',
    customerParticipation: true,
  })
  const session = (): Json => ({
    addressFrom: address,
    addressTo: messageType === 'sms' ? '+18005550111' : random.uuid(),
    direction: 'inbound',
    ...(engagementSource !== undefined && { engagementSource }),
    mediaType: 'message',
    messageType,
    provider,
    remote: contact.name,
  })
  const customer = addContact(builder)
  const customerLeg = addLeg(builder, customer, {
    ...session(),
    ...(random.chance(0.3) && { authenticated: random.chance(0.7) }),
    ...(random.chance(0.2) && { mediaCount: random.int(1, 4) }),
  })
  let at = plan.start + 40
  const queue = pickQueue(builder)
  if (random.chance(0.6)) {
    const flow = flowOf(builder, 'DIGITALBOT')
    const end = at + Math.max(3_000, random.skewed(70_000, 0.8))
    const served = random.chance(0.3)
    joinDivision(builder, flow.divisionId, at)
    if (random.chance(0.3)) plan.head['knowledgeBaseIds'] = [org.groups[0]?.id]
    const bot = addLeg(builder, addParticipant(builder, 'botflow', { participantName: flow.name }), session(), {
      flow: flowRun(builder, flow, {
        entry: flow.id,
        entryType: 'flow',
        exitReason: served ? 'DISCONNECT' : 'TRANSFER',
        queue: served ? undefined : queue,
        from: at,
        to: end,
      }),
    })
    addSpan(bot, 'interact', at, end, { disconnectType: served ? 'client' : 'transfer' })
    state(bot, 'nBotInteractions', 1, end)
    plan.head['selfServed'] = served
    at = end
    if (served) {
      addSpan(customerLeg, 'interact', plan.start, end, { disconnectType: 'peer' })
      return
    }
  }
  let round = messageRound(builder, {
    start: plan.start,
    waits: at + 30,
    queue,
    firstQueue: queue,
    customerLeg,
    session,
  })
  for (let rounds = 1; ; rounds++) {
    const again = nextReply(builder, rounds, round.over, 14 * HOUR_MS, MESSAGE_REOPENS_WITHIN_MS)
    if (again === undefined) break
    plan.pauses.push([round.over, again])
    const leg = addLeg(builder, customer, session())
    const next = random.chance(0.7) ? round.queue : pickQueue(builder)
    round = messageRound(builder, {
      start: again,
      waits: again + 40,
      queue: next,
      firstQueue: queue,
      customerLeg: leg,
      session,
      ...(round.last && { last: round.last }),
    })
  }
  plan.inactivityMs = MESSAGE_REOPENS_WITHIN_MS
}

/** What a message thread does from a message of the customer until it is closed. */
interface MessageRound {
  readonly start: number
  /** When it enters the queue. */
  readonly waits: number
  readonly queue: Queue
  readonly firstQueue: Queue
  readonly customerLeg: Leg
  readonly session: () => Json
  readonly last?: LastAgent
}

/** One round of a message thread, with a transfer to another queue now and then. Returns when and where it ended, and with whom. */
function messageRound(
  builder: ConversationBuilder,
  round: MessageRound,
): { readonly over: number; readonly queue: Queue; readonly last: LastAgent | undefined } {
  const { random } = builder
  const { session, firstQueue } = round
  const timing = random.chance(0.2) ? { ...MESSAGE_TIMING, talkMedian: 4 * HOUR_MS } : MESSAGE_TIMING
  const isSame = (): boolean => random.chance(0.75)
  let { queue } = round
  let last = isSame() ? round.last : undefined
  let visit = waitInQueue(builder, round.waits, queue, timing, session, { flowInType: 'flow', last })
  for (let transfers = 0; visit.leg && transfers < 3 && random.chance(0.08); transfers++) {
    const at = talk(builder, visit.leg, visit.at, queue, MESSAGE_TIMING, { disconnectType: 'transfer' })
    state(visit.leg, 'nTransferred', 1, at)
    state(visit.leg, 'nBlindTransferred', 1, at)
    visit.leg.session['acwSkipped'] = true
    const before = queue.id
    queue = random.pick(builder.org.queues.filter(({ id }) => id !== before))
    last = isSame() && visit.user && visit.agent ? { user: visit.user, agent: visit.agent } : undefined
    visit = waitInQueue(builder, at + 40, queue, timing, session, { flowInType: 'agent', last })
  }
  const end = serve(builder, visit, timing, { disconnectType: 'client' })
  addSpan(round.customerLeg, 'interact', round.start, end, {
    queueId: firstQueue.id,
    disconnectType: random.chance(0.2) ? 'inactivity' : 'peer',
  })
  const agent = visit.user && visit.agent ? { user: visit.user, agent: visit.agent } : last
  return { over: endOf(builder.plan), queue, last: agent }
}

/** An e-mail: waits for hours, is parked now and then, and is reopened by replies within 30 days, some again and again. */
export function email(builder: ConversationBuilder): void {
  const { random, plan, contact } = builder
  const outbound = random.chance(0.1)
  plan.head['originatingDirection'] = outbound ? 'outbound' : 'inbound'
  const subject = random.pick([
    'Order 10482',
    'Re: your invoice',
    'Question about delivery',
    'Beschwerde',
    'Return label',
  ])
  const mailbox = 'service@example.com'
  const session = (): Json => ({
    addressFrom: outbound ? mailbox : contact.email,
    addressOther: contact.email,
    addressSelf: mailbox,
    addressTo: outbound ? contact.email : mailbox,
    direction: outbound ? 'outbound' : 'inbound',
    mediaType: 'email',
    provider: 'PureCloud Email',
    remote: contact.name,
    ...(random.chance(0.05) && { cc: ['copy@example.com'] }),
    ...(random.chance(0.02) && { bcc: ['archive@example.com'] }),
  })
  const customer = addContact(builder)
  let last: LastAgent | undefined
  const round = (start: number, queue: Queue): number => {
    const leg = addLeg(builder, customer, { ...session(), ...(random.chance(0.1) && { mediaCount: random.int(1, 5) }) })
    const visit = waitInQueue(builder, start + 300, queue, EMAIL_TIMING, session, {
      flowInType: 'flow',
      last: random.chance(0.5) ? last : undefined,
    })
    if (!visit.leg) {
      addSpan(leg, 'interact', start, visit.at, { queueId: queue.id, subject, disconnectType: 'peer' })
      return endOf(plan)
    }
    if (visit.user && visit.agent) last = { user: visit.user, agent: visit.agent }
    let at = visit.at
    if (random.chance(0.2)) {
      const read = at + random.int(30_000, 200_000)
      addSpan(visit.leg, 'interact', at, read, { queueId: queue.id, subject })
      at = read + random.int(1, 20) * 1_800_000
      addSpan(visit.leg, 'parked', read, at, { queueId: queue.id })
    }
    const end = talk(builder, visit.leg, at, queue, EMAIL_TIMING, { disconnectType: 'client', subject })
    Object.assign(visit.leg.session, {
      deliveryStatus: random.weighted({ DeliverySuccess: 9, DeliveryFailed: 1, Sent: 2 }),
      deliveryStatusChangeDate: iso(end + 1_500),
      ...(random.chance(0.1) && { extendedDeliveryStatus: 'smtp;250 accepted' }),
    })
    state(visit.leg, 'oMessageSegmentCount', random.int(1, 3), end)
    wrapUp(builder, visit.leg, end, queue, EMAIL_TIMING)
    addSpan(leg, 'interact', start, end, { queueId: queue.id, subject, disconnectType: 'peer' })
    return endOf(plan)
  }
  const queue = pickQueue(builder)
  let end = round(plan.start, queue)
  for (let rounds = 1; ; rounds++) {
    const again = nextReply(builder, rounds, end, 4 * DAY_MS, EMAIL_REOPENS_WITHIN_MS)
    if (again === undefined) return
    plan.pauses.push([end, again])
    end = round(again, queue)
  }
}

import { talk, wrapUp } from './agent-work.ts'
import type { MediaTiming } from './media-timing.ts'
import { waitInQueue, type LastAgent } from './queue-visit.ts'
import { addContact, addLeg, addSpan, pickQueue, state, type ConversationBuilder } from './conversation-builder.ts'
import { endOf, iso, type Json, type Participant } from '../conversation-plan.ts'
import type { Queue } from '../org.ts'
import { nextReply } from './written-work.ts'

const DAY_MS = 86_400_000
/** How long after the last disconnect a reply reopens a thread: the default of Genesys. */
const REOPENS_WITHIN_MS = 30 * DAY_MS
const MEAN_REPLY_MS = 4 * DAY_MS
const HALF_HOUR_MS = 1_800_000

const TIMING: MediaTiming = {
  media: 'email',
  waitMeanMs: 5_400_000,
  patienceMeanMs: Infinity,
  givesUp: 'abandoned',
  autoAnswerShare: 0.1,
  alertMaxMs: 60_000,
  talkMedianMs: 420_000,
  acwMedianMs: 20_000,
  holdShare: 0.2,
  holdsMax: 2,
}

/** What stays the same through the rounds of an e-mail thread, and the agent of the last one. */
interface Thread {
  readonly customer: Participant
  readonly queue: Queue
  readonly subject: string
  readonly session: () => Json
  last: LastAgent | undefined
}

/** An e-mail: waits for hours, is parked now and then, and is reopened by replies within 30 days, some again and again. */
export function email(builder: ConversationBuilder): void {
  const { random, plan } = builder
  const outbound = random.chance(0.1)
  plan.head['originatingDirection'] = outbound ? 'outbound' : 'inbound'
  const subject = random.pick([
    'Order 10482',
    'Re: your invoice',
    'Question about delivery',
    'Beschwerde',
    'Return label',
  ])
  const session = (): Json => emailSession(builder, outbound)
  const customer = addContact(builder)
  const thread: Thread = { customer, queue: pickQueue(builder), subject, session, last: undefined }
  let end = addRound(builder, thread, plan.start)
  for (let rounds = 1; ; rounds++) {
    const again = nextReply(builder, rounds, end, MEAN_REPLY_MS, REOPENS_WITHIN_MS)
    if (again === undefined) return
    plan.pauses.push([end, again])
    end = addRound(builder, thread, again)
  }
}

function emailSession({ random, contact }: ConversationBuilder, outbound: boolean): Json {
  const mailbox = 'service@example.com'
  return {
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
  }
}

/** Adds one round of a thread, from a message of the customer to the agent's answer. Returns when the thread ends then. */
function addRound(builder: ConversationBuilder, thread: Thread, start: number): number {
  const { random, plan } = builder
  const { customer, queue, subject, session } = thread
  const leg = addLeg(builder, customer, { ...session(), ...(random.chance(0.1) && { mediaCount: random.int(1, 5) }) })
  const visit = waitInQueue(builder, start + 300, queue, TIMING, session, {
    flowInType: 'flow',
    last: random.chance(0.5) ? thread.last : undefined,
  })
  if (!visit.leg) {
    addSpan(leg, 'interact', start, visit.at, { queueId: queue.id, subject, disconnectType: 'peer' })
    return endOf(plan)
  }
  if (visit.user && visit.agent) thread.last = { user: visit.user, agent: visit.agent }
  let at = visit.at
  if (random.chance(0.2)) {
    const read = at + random.int(30_000, 200_000)
    addSpan(visit.leg, 'interact', at, read, { queueId: queue.id, subject })
    at = read + random.int(1, 20) * HALF_HOUR_MS
    addSpan(visit.leg, 'parked', read, at, { queueId: queue.id })
  }
  const end = talk(builder, visit.leg, at, queue, TIMING, { disconnectType: 'client', subject })
  Object.assign(visit.leg.session, {
    deliveryStatus: random.weighted({ DeliverySuccess: 9, DeliveryFailed: 1, Sent: 2 }),
    deliveryStatusChangeDate: iso(end + 1_500),
    ...(random.chance(0.1) && { extendedDeliveryStatus: 'smtp;250 accepted' }),
  })
  state(visit.leg, 'oMessageSegmentCount', random.int(1, 3), end)
  wrapUp(builder, visit.leg, end, queue, TIMING)
  addSpan(leg, 'interact', start, end, { queueId: queue.id, subject, disconnectType: 'peer' })
  return endOf(plan)
}

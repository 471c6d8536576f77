import { talk, waitInQueue, wrapUp } from './agent-work.ts'
import type { QueueVisit, Tempo } from './agent-work.ts'
import { addContact, addLeg, addParticipant, addSpan, flowOf, flowRun, joinDivision, pickQueue, state } from './pen.ts'
import type { Pen } from './pen.ts'
import type { Queue } from './org.ts'
import { iso } from './story.ts'
import type { Json, Leg } from './story.ts'

const chatTempo: Tempo = {
  media: 'chat',
  waitMean: 22_000,
  patienceMean: 200_000,
  alertMax: 9_000,
  talkMedian: 420_000,
  acwMedian: 25_000,
  holdShare: 0.06,
}
const messageTempo: Tempo = {
  ...chatTempo,
  media: 'message',
  waitMean: 60_000,
  patienceMean: 3_600_000,
  talkMedian: 900_000,
}
const mailTempo: Tempo = {
  media: 'email',
  waitMean: 5_400_000,
  patienceMean: Infinity,
  alertMax: 60_000,
  talkMedian: 420_000,
  acwMedian: 20_000,
  holdShare: 0.04,
}

/** What an agent's written exchange is measured by. */
function exchange(pen: Pen, leg: Leg, from: number, to: number): void {
  const { random } = pen
  const turns = random.int(1, 6)
  state(leg, 'tFirstEngagement', random.int(1_000, 9_000), from)
  state(leg, 'tFirstResponse', random.int(5_000, 60_000), from + Math.floor((to - from) / 8))
  state(leg, 'tAgentResponseTime', random.int(5_000, 90_000), from + Math.floor((to - from) / 4))
  state(leg, 'tUserResponseTime', random.int(5_000, 90_000), from + Math.floor((to - from) / 3))
  state(leg, 'oMessageTurn', turns, to)
}

function serve(pen: Pen, visit: QueueVisit, tempo: Tempo, ending: Json): number {
  if (!visit.leg) return visit.at
  const end = talk(pen, visit.leg, visit.at, visit.queue, tempo, ending)
  exchange(pen, visit.leg, visit.at, end)
  wrapUp(pen, visit.leg, end, visit.queue, tempo)
  return end
}

/** A chat on the website. */
export function chat(pen: Pen): void {
  const { random, story, contact } = pen
  story.head['originatingDirection'] = 'inbound'
  const queue = pickQueue(pen)
  const session = (): Json => ({
    direction: 'inbound',
    mediaType: 'chat',
    provider: 'Webchat Provider',
    remote: contact.name,
    roomId: random.uuid(),
  })
  const leg = addLeg(pen, addContact(pen), { ...session(), requestedRoutings: ['Standard'], usedRouting: 'Standard' })
  const visit = waitInQueue(pen, story.start + 5, queue, chatTempo, session, { flowInType: 'flow' })
  const timeout = random.chance(0.1)
  const end = serve(pen, visit, chatTempo, { disconnectType: timeout ? 'peer' : 'client' })
  addSpan(leg, 'interact', story.start, end, { queueId: queue.id, disconnectType: timeout ? 'timeout' : 'peer' })
}

const channels: Readonly<Record<string, { provider: string; engagementSource?: string }>> = {
  webmessaging: { provider: 'PureCloud Webmessaging', engagementSource: 'WebChat' },
  sms: { provider: 'PureCloud Messaging' },
  whatsapp: { provider: 'PureCloud Messaging', engagementSource: 'WhatsApp' },
  open: { provider: 'PureCloud Messaging', engagementSource: 'OpenMessaging' },
}

/** A message thread: often a bot answers first, sometimes alone; threads last hours, some days. */
export function message(pen: Pen): void {
  const { random, story, contact, org } = pen
  const messageType = random.weighted({ webmessaging: 5, whatsapp: 3, sms: 2, open: 0.4 })
  const { provider, engagementSource } = channels[messageType] as { provider: string; engagementSource?: string }
  const address = messageType === 'sms' ? contact.phone : random.uuid()
  Object.assign(story.head, {
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
  const customerLeg = addLeg(pen, addContact(pen), {
    ...session(),
    ...(random.chance(0.3) && { authenticated: random.chance(0.7) }),
    ...(random.chance(0.2) && { mediaCount: random.int(1, 4) }),
  })
  let at = story.start + 40
  const queue = pickQueue(pen)
  if (random.chance(0.6)) {
    const flow = flowOf(pen, 'DIGITALBOT')
    const end = at + Math.max(3_000, random.skewed(70_000, 0.8))
    const served = random.chance(0.3)
    joinDivision(pen, flow.divisionId, at)
    if (random.chance(0.3)) story.head['knowledgeBaseIds'] = [org.groups[0]?.id]
    const bot = addLeg(pen, addParticipant(pen, 'botflow', { participantName: flow.name }), session(), {
      flow: flowRun(pen, flow, {
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
    story.head['selfServed'] = served
    at = end
    if (served) {
      addSpan(customerLeg, 'interact', story.start, end, { disconnectType: 'peer' })
      return
    }
  }
  const visit = waitInQueue(pen, at + 30, queue, messageTempo, session, { flowInType: 'flow' })
  const slow = random.chance(0.2) ? { ...messageTempo, talkMedian: 14_400_000 } : messageTempo
  const end = serve(pen, visit, slow, { disconnectType: 'client' })
  addSpan(customerLeg, 'interact', story.start, end, {
    queueId: queue.id,
    disconnectType: random.chance(0.2) ? 'inactivity' : 'peer',
  })
  story.head['inactivityTimeout'] = iso(end + 72 * 3_600_000)
}

/** An e-mail: waits for hours, is parked now and then, and may be answered again days after it was closed. */
export function email(pen: Pen): void {
  const { random, story, contact } = pen
  const outbound = random.chance(0.1)
  story.head['originatingDirection'] = outbound ? 'outbound' : 'inbound'
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
  const customer = addContact(pen)
  const round = (start: number, queue: Queue): number => {
    const leg = addLeg(pen, customer, { ...session(), ...(random.chance(0.1) && { mediaCount: random.int(1, 5) }) })
    const visit = waitInQueue(pen, start + 300, queue, mailTempo, session, { flowInType: 'flow' })
    if (!visit.leg) {
      addSpan(leg, 'interact', start, visit.at, { queueId: queue.id, subject, disconnectType: 'peer' })
      return visit.at
    }
    let at = visit.at
    if (random.chance(0.2)) {
      const read = at + random.int(30_000, 200_000)
      addSpan(visit.leg, 'interact', at, read, { queueId: queue.id, subject })
      at = read + random.int(1, 20) * 1_800_000
      addSpan(visit.leg, 'parked', read, at, { queueId: queue.id })
    }
    const end = talk(pen, visit.leg, at, queue, mailTempo, { disconnectType: 'client', subject })
    Object.assign(visit.leg.session, {
      deliveryStatus: random.weighted({ DeliverySuccess: 9, DeliveryFailed: 1, Sent: 2 }),
      deliveryStatusChangeDate: iso(end + 1_500),
      ...(random.chance(0.1) && { extendedDeliveryStatus: 'smtp;250 accepted' }),
    })
    state(visit.leg, 'oMessageSegmentCount', random.int(1, 3), end)
    wrapUp(pen, visit.leg, end, queue, mailTempo)
    addSpan(leg, 'interact', start, end, { queueId: queue.id, subject, disconnectType: 'peer' })
    return end
  }
  const queue = pickQueue(pen)
  let end = round(story.start, queue)
  for (let replies = 0; replies < 3 && random.chance(0.18); replies++) {
    const again = end + random.int(1, 60) * 3_600_000 + random.int(0, 3_599_999)
    story.pauses.push([end, again])
    end = round(again, queue)
  }
}

import { finishVoice, hangUp, talk, wrapUp } from './agent-work.ts'
import { VOICE_TIMING } from './media-timing.ts'
import { waitInQueue, type QueueVisit } from './queue-visit.ts'
import type { Queue, User } from '../org.ts'
import {
  addAgent,
  addContact,
  addLeg,
  addParticipant,
  addSpan,
  addStats,
  flowOf,
  flowRun,
  joinDivision,
  pickAgent,
  pickQueue,
  state,
  voiceSession,
  type ConversationBuilder,
} from './conversation-builder.ts'
import { iso, type Json, type Leg } from '../conversation-plan.ts'

/** The session of a leg that an inbound or outbound call reaches by routing. */
export function callSession(
  builder: ConversationBuilder,
  direction: 'inbound' | 'outbound',
): (role: 'acd' | 'agent', user?: User) => Json {
  return (role, user) =>
    voiceSession(builder, direction, {
      ...(role === 'acd' && { destinationAddresses: [`sip:${builder.random.uuid()}@localhost`] }),
      ...(user && { sessionDnis: `sip:${user.id}%2Bexample.com@localhost` }),
      ...(role === 'agent' && { recording: true }),
      ...(role === 'agent' && builder.random.chance(0.3) && { scriptId: builder.random.pick(builder.org.scripts) }),
    })
}

/**
 * Adds the menu before the queue. Returns the instant at which it ends and the queue that it leads to, or none where the
 * caller hangs up or serves themself.
 */
function addMenu(
  builder: ConversationBuilder,
  start: number,
): { at: number; queue: Queue | undefined; served: boolean } {
  const { random, plan } = builder
  const flow = flowOf(builder, 'INBOUNDCALL')
  const at = start + Math.max(1_200, random.skewed(24_000, 0.6))
  const gone = random.chance(0.07)
  const served = !gone && random.chance(0.06)
  const queue = gone || served ? undefined : pickQueue(builder)
  joinDivision(builder, flow.divisionId, start)
  const ivr = addParticipant(builder, 'ivr', { participantName: flow.name })
  const run = flowRun(builder, flow, {
    entry: 'tel:+18005550100',
    entryType: 'dnis',
    exitReason: queue ? 'TRANSFER' : 'DISCONNECT',
    queue,
    from: start,
    to: at,
  })
  const leg = addLeg(builder, ivr, voiceSession(builder, 'inbound', { peerId: random.uuid() }), { flow: run })
  addSpan(leg, 'system', start - 14, start)
  addSpan(leg, 'ivr', start, at, { disconnectType: queue ? 'transfer' : served ? 'client' : 'peer' })
  for (const outcome of (run['outcomes'] ?? []) as Json[]) {
    state(leg, 'nFlowOutcome', 1, at)
    if (outcome['flowOutcomeValue'] === 'FAILURE') state(leg, 'nFlowOutcomeFailed', 1, at)
    else state(leg, 'tFlowOutcome', at - start, at)
  }
  addStats(builder, leg, at)
  plan.head['selfServed'] = served
  return { at, queue, served }
}

/** An inbound call: menu, queue, agent; abandoned, transferred, monitored or turned into a conference on the way. */
export function inboundCall(builder: ConversationBuilder): void {
  const { random, plan } = builder
  plan.head['originatingDirection'] = 'inbound'
  const customer = addContact(builder)
  const customerLeg = addLeg(
    builder,
    customer,
    voiceSession(builder, 'inbound', { recording: true, requestedRoutings: ['Standard'] }),
  )
  const connected = plan.start + random.int(120, 400)
  // In genuine records the first segment can begin some milliseconds before the conversation.
  addSpan(customerLeg, 'system', plan.start - (random.chance(0.3) ? random.int(1, 20) : 0), connected)

  const direct = random.chance(0.08)
  const entry = direct
    ? { at: connected + 60, queue: pickQueue(builder), served: false }
    : addMenu(builder, plan.start + 30)
  // The customer's segment carries the first queue, wherever the call ends.
  const close = (at: number, ending: Json): void => {
    addSpan(customerLeg, 'interact', connected, at, { ...(entry.queue && { queueId: entry.queue.id }), ...ending })
    addStats(builder, customerLeg, at)
  }
  if (!entry.queue) return close(entry.at, { disconnectType: entry.served ? 'system' : 'endpoint' })

  let visit = waitInQueue(builder, entry.at + 45, entry.queue, VOICE_TIMING, callSession(builder, 'inbound'), {
    flowInType: direct ? 'direct' : 'ivr',
  })
  for (let transfers = 0; ; transfers++) {
    if (visit.outcome === 'abandoned' || visit.outcome === 'left')
      return close(visit.at, { disconnectType: 'endpoint' })
    if (visit.outcome === 'flowOut') return close(leaveVoicemail(builder, visit.at), { disconnectType: 'endpoint' })
    const leg = visit.leg as Leg
    customerLeg.session['selectedAgentId'] = visit.user?.id
    customerLeg.session['usedRouting'] = 'Standard'
    if (transfers < 2 && random.chance(0.07)) {
      visit = blindTransfer(builder, visit)
      continue
    }
    const consult = random.chance(0.04)
    const ends = hangUp(builder)
    const talked = talk(
      builder,
      leg,
      visit.at,
      visit.queue,
      VOICE_TIMING,
      consult ? { disconnectType: 'consultTransfer' } : ends.agent,
    )
    finishVoice(builder, leg, talked)
    wrapUp(builder, leg, talked, visit.queue, VOICE_TIMING)
    addSupervisor(builder, visit, talked)
    if (!consult) return close(talked, ends.customer)
    return close(consultTransfer(builder, visit, talked), ends.customer)
  }
}

/** The agent sends the caller to another queue without speaking to anyone there. */
function blindTransfer(builder: ConversationBuilder, visit: QueueVisit): QueueVisit {
  const { random } = builder
  const leg = visit.leg as Leg
  const at = visit.at + Math.max(4_000, random.skewed(50_000, 0.6))
  addSpan(leg, 'interact', visit.at, at, { queueId: visit.queue.id, disconnectType: 'transfer' })
  state(leg, 'nTransferred', 1, at)
  state(leg, 'nBlindTransferred', 1, at)
  finishVoice(builder, leg, at)
  wrapUp(builder, leg, at, visit.queue, VOICE_TIMING)
  const queue = random.pick(builder.org.queues.filter(({ id }) => id !== visit.queue.id))
  leg.session['destinationAddresses'] = [queue.name]
  return waitInQueue(builder, at + 40, queue, VOICE_TIMING, callSession(builder, 'inbound'), {
    flowInType: 'agent',
    not: visit.user,
  })
}

/** The agent asks a colleague first and then hands over, or all three talk for a while. Returns the end of the call. */
function consultTransfer(builder: ConversationBuilder, visit: QueueVisit, at: number): number {
  const { random, plan } = builder
  const leg = visit.leg as Leg
  const asked = at - Math.min(20_000, at - visit.at - 500)
  const colleague = pickAgent(builder, visit.queue, visit.user)
  const conference = random.chance(0.4)
  state(leg, 'nConsult', 1, asked)
  state(leg, 'nConsultTransferred', 1, at)
  state(leg, 'nTransferred', 1, at)
  const consultLeg = addLeg(builder, visit.agent as NonNullable<typeof visit.agent>, {
    ...voiceSession(builder, 'outbound'),
    remote: colleague.name,
    destinationAddresses: [colleague.email],
  })
  addSpan(consultLeg, 'dialing', asked, asked + 3_000 > at ? at : asked + 3_000, {})
  if (asked + 3_000 < at) addSpan(consultLeg, 'interact', asked + 3_000, at, { disconnectType: 'transfer' })

  const second = addAgent(builder, colleague)
  joinDivision(builder, colleague.divisionId, asked)
  const bridge = { mediaBridgeId: random.uuid() }
  const secondLeg = addLeg(builder, second, {
    ...callSession(builder, 'inbound')('agent', colleague),
    ...(conference && bridge),
  })
  const answered = Math.min(asked + 3_000, at)
  addSpan(secondLeg, 'alert', asked + 200, answered, {})
  const ends = hangUp(builder)
  if (!conference) {
    const end = talk(builder, secondLeg, answered, undefined, VOICE_TIMING, ends.agent)
    finishVoice(builder, secondLeg, Math.max(end, at))
    wrapUp(builder, secondLeg, end, undefined, VOICE_TIMING)
    return Math.max(end, at)
  }
  const end = at + Math.max(5_000, random.skewed(90_000, 0.6))
  plan.head['conferenceStart'] = iso(answered)
  Object.assign(leg.session, bridge)
  addSpan(secondLeg, 'interact', answered, end, { conference: true, ...ends.agent })
  finishVoice(builder, secondLeg, end)
  wrapUp(builder, secondLeg, end, undefined, VOICE_TIMING)
  const expert = addParticipant(builder, 'external', { participantName: 'Partner Desk' })
  const expertLeg = addLeg(builder, expert, {
    ...voiceSession(builder, 'outbound', { dnis: 'tel:+18005550155' }),
    ...bridge,
  })
  addSpan(expertLeg, 'contacting', answered + 1_000, answered + 2_500, { conference: true })
  addSpan(expertLeg, 'interact', answered + 2_500, end, {
    conference: true,
    disconnectType: 'conferenceTransfer',
    sourceConversationId: random.uuid(),
    sourceSessionId: random.uuid(),
    destinationConversationId: random.uuid(),
    destinationSessionId: random.uuid(),
  })
  addStats(builder, expertLeg, end)
  return end
}

/** The caller speaks to a voice mailbox. Returns the end of the call. */
function leaveVoicemail(builder: ConversationBuilder, at: number): number {
  const { random, org } = builder
  const end = at + random.int(6_000, 60_000)
  const box = addParticipant(builder, 'voicemail', { participantName: 'Voicemail' })
  const leg = addLeg(builder, box, voiceSession(builder, 'inbound'))
  addSpan(leg, 'voicemail', at + 100, end, { groupId: random.pick(org.groups).id, disconnectType: 'peer' })
  addStats(builder, leg, end)
  return end
}

/** Now and then a supervisor monitors, coaches, barges in, or watches the screen. */
function addSupervisor(builder: ConversationBuilder, visit: QueueVisit, end: number): void {
  const { random, org } = builder
  if (!random.chance(0.03) || end - visit.at < 8_000) return
  const monitoredId = visit.agent?.fields['participantId']
  const kind = random.weighted({ monitoring: 4, coaching: 3, barging: 2, screenmonitoring: 1 })
  const supervisor = org.users[random.int(50, 53)] as User
  const participant = addAgent(builder, supervisor, 'user')
  const start = visit.at + random.int(1_000, 6_000)
  const session: Json = {
    monitoring: { ...voiceSession(builder, 'inbound'), monitoredParticipantId: monitoredId },
    coaching: { ...voiceSession(builder, 'inbound'), coachedParticipantId: monitoredId },
    barging: { ...voiceSession(builder, 'inbound'), bargedParticipantId: monitoredId },
    screenmonitoring: {
      direction: 'inbound',
      mediaType: 'screenmonitoring',
      provider: 'PureCloud Video',
      monitoredParticipantId: monitoredId,
      screenMonitoredUserId: visit.user?.id,
    },
  }[kind]
  const leg = addLeg(builder, participant, session)
  addSpan(leg, kind, start, end, { disconnectType: 'peer' })
}

import { finishVoice, hangUp, talk, voiceTempo, waitInQueue, wrapUp } from './agent-work.ts'
import type { QueueVisit } from './agent-work.ts'
import type { Queue, User } from './org.ts'
import {
  addAgent, addContact, addLeg, addParticipant, addSpan, addStats, flowOf, flowRun, joinDivision, pickAgent, pickQueue,
  state, voiceSession,
} from './pen.ts' // prettier-ignore
import type { Pen } from './pen.ts'
import { iso } from './story.ts'
import type { Json, Leg } from './story.ts'

/** The session of a leg that an inbound or outbound call reaches by routing. */
export function callSession(pen: Pen, direction: 'inbound' | 'outbound'): (role: 'acd' | 'agent', user?: User) => Json {
  return (role, user) =>
    voiceSession(pen, direction, {
      ...(role === 'acd' && { destinationAddresses: [`sip:${pen.random.uuid()}@localhost`] }),
      ...(user && { sessionDnis: `sip:${user.id}%2Bexample.com@localhost` }),
      ...(role === 'agent' && { recording: true }),
      ...(role === 'agent' && pen.random.chance(0.3) && { scriptId: pen.random.pick(pen.org.scripts) }),
    })
}

/**
 * The menu before the queue. Gives the instant at which it ends and the queue that it leads to, or none where the
 * caller hangs up or serves themself.
 */
function menu(pen: Pen, start: number): { at: number; queue: Queue | undefined; served: boolean } {
  const { random, story } = pen
  const flow = flowOf(pen, 'INBOUNDCALL')
  const at = start + Math.max(1_200, random.skewed(24_000, 0.6))
  const gone = random.chance(0.07)
  const served = !gone && random.chance(0.06)
  const queue = gone || served ? undefined : pickQueue(pen)
  joinDivision(pen, flow.divisionId, start)
  const ivr = addParticipant(pen, 'ivr', { participantName: flow.name })
  const run = flowRun(pen, flow, {
    entry: 'tel:+18005550100',
    entryType: 'dnis',
    exitReason: queue ? 'TRANSFER' : 'DISCONNECT',
    queue,
    from: start,
    to: at,
  })
  const leg = addLeg(pen, ivr, voiceSession(pen, 'inbound', { peerId: random.uuid() }), { flow: run })
  addSpan(leg, 'system', start - 14, start)
  addSpan(leg, 'ivr', start, at, { disconnectType: queue ? 'transfer' : served ? 'client' : 'peer' })
  for (const outcome of (run['outcomes'] ?? []) as Json[]) {
    state(leg, 'nFlowOutcome', 1, at)
    if (outcome['flowOutcomeValue'] === 'FAILURE') state(leg, 'nFlowOutcomeFailed', 1, at)
    else state(leg, 'tFlowOutcome', at - start, at)
  }
  addStats(pen, leg, at)
  story.head['selfServed'] = served
  return { at, queue, served }
}

/** An inbound call: menu, queue, agent; abandoned, transferred, monitored or turned into a conference on the way. */
export function inboundCall(pen: Pen): void {
  const { random, story } = pen
  story.head['originatingDirection'] = 'inbound'
  const customer = addContact(pen)
  const customerLeg = addLeg(
    pen,
    customer,
    voiceSession(pen, 'inbound', { recording: true, requestedRoutings: ['Standard'] }),
  )
  const connected = story.start + random.int(120, 400)
  // In genuine records the first segment can begin some milliseconds before the conversation.
  addSpan(customerLeg, 'system', story.start - (random.chance(0.3) ? random.int(1, 20) : 0), connected)

  const direct = random.chance(0.08)
  const entry = direct ? { at: connected + 60, queue: pickQueue(pen), served: false } : menu(pen, story.start + 30)
  // The customer's segment carries the first queue, wherever the call ends.
  const close = (at: number, ending: Json): void => {
    addSpan(customerLeg, 'interact', connected, at, { ...(entry.queue && { queueId: entry.queue.id }), ...ending })
    addStats(pen, customerLeg, at)
  }
  if (!entry.queue) return close(entry.at, { disconnectType: entry.served ? 'system' : 'endpoint' })

  let visit = waitInQueue(pen, entry.at + 45, entry.queue, voiceTempo, callSession(pen, 'inbound'), {
    flowInType: direct ? 'direct' : 'ivr',
  })
  for (let transfers = 0; ; transfers++) {
    if (visit.outcome === 'abandoned' || visit.outcome === 'left')
      return close(visit.at, { disconnectType: 'endpoint' })
    if (visit.outcome === 'flowOut') return close(leaveVoicemail(pen, visit.at), { disconnectType: 'endpoint' })
    const leg = visit.leg as Leg
    customerLeg.session['selectedAgentId'] = visit.user?.id
    customerLeg.session['usedRouting'] = 'Standard'
    if (transfers < 2 && random.chance(0.07)) {
      visit = blindTransfer(pen, visit)
      continue
    }
    const consult = random.chance(0.04)
    const ends = hangUp(pen)
    const talked = talk(
      pen,
      leg,
      visit.at,
      visit.queue,
      voiceTempo,
      consult ? { disconnectType: 'consultTransfer' } : ends.agent,
    )
    finishVoice(pen, leg, talked)
    wrapUp(pen, leg, talked, visit.queue, voiceTempo)
    watch(pen, visit, talked)
    if (!consult) return close(talked, ends.customer)
    return close(consultTransfer(pen, visit, talked), ends.customer)
  }
}

/** The agent sends the caller to another queue without speaking to anyone there. */
function blindTransfer(pen: Pen, visit: QueueVisit): QueueVisit {
  const { random } = pen
  const leg = visit.leg as Leg
  const at = visit.at + Math.max(4_000, random.skewed(50_000, 0.6))
  addSpan(leg, 'interact', visit.at, at, { queueId: visit.queue.id, disconnectType: 'transfer' })
  state(leg, 'nTransferred', 1, at)
  state(leg, 'nBlindTransferred', 1, at)
  finishVoice(pen, leg, at)
  wrapUp(pen, leg, at, visit.queue, voiceTempo)
  const queue = random.pick(pen.org.queues.filter(({ id }) => id !== visit.queue.id))
  leg.session['destinationAddresses'] = [queue.name]
  return waitInQueue(pen, at + 40, queue, voiceTempo, callSession(pen, 'inbound'), {
    flowInType: 'agent',
    not: visit.user,
  })
}

/** The agent asks a colleague first and then hands over, or all three talk for a while. Gives the end of the call. */
function consultTransfer(pen: Pen, visit: QueueVisit, at: number): number {
  const { random, story } = pen
  const leg = visit.leg as Leg
  const asked = at - Math.min(20_000, at - visit.at - 500)
  const colleague = pickAgent(pen, visit.queue, visit.user)
  const conference = random.chance(0.4)
  state(leg, 'nConsult', 1, asked)
  state(leg, 'nConsultTransferred', 1, at)
  state(leg, 'nTransferred', 1, at)
  const consultLeg = addLeg(pen, visit.agent as NonNullable<typeof visit.agent>, {
    ...voiceSession(pen, 'outbound'),
    remote: colleague.name,
    destinationAddresses: [colleague.email],
  })
  addSpan(consultLeg, 'dialing', asked, asked + 3_000 > at ? at : asked + 3_000, {})
  if (asked + 3_000 < at) addSpan(consultLeg, 'interact', asked + 3_000, at, { disconnectType: 'transfer' })

  const second = addAgent(pen, colleague)
  joinDivision(pen, colleague.divisionId, asked)
  const bridge = { mediaBridgeId: random.uuid() }
  const secondLeg = addLeg(pen, second, {
    ...callSession(pen, 'inbound')('agent', colleague),
    ...(conference && bridge),
  })
  const answered = Math.min(asked + 3_000, at)
  addSpan(secondLeg, 'alert', asked + 200, answered, {})
  const ends = hangUp(pen)
  if (!conference) {
    const end = talk(pen, secondLeg, answered, undefined, voiceTempo, ends.agent)
    finishVoice(pen, secondLeg, Math.max(end, at))
    wrapUp(pen, secondLeg, end, undefined, voiceTempo)
    return Math.max(end, at)
  }
  const end = at + Math.max(5_000, random.skewed(90_000, 0.6))
  story.head['conferenceStart'] = iso(answered)
  Object.assign(leg.session, bridge)
  addSpan(secondLeg, 'interact', answered, end, { conference: true, ...ends.agent })
  finishVoice(pen, secondLeg, end)
  wrapUp(pen, secondLeg, end, undefined, voiceTempo)
  const expert = addParticipant(pen, 'external', { participantName: 'Partner Desk' })
  const expertLeg = addLeg(pen, expert, { ...voiceSession(pen, 'outbound', { dnis: 'tel:+18005550155' }), ...bridge })
  addSpan(expertLeg, 'contacting', answered + 1_000, answered + 2_500, { conference: true })
  addSpan(expertLeg, 'interact', answered + 2_500, end, {
    conference: true,
    disconnectType: 'conferenceTransfer',
    sourceConversationId: random.uuid(),
    sourceSessionId: random.uuid(),
    destinationConversationId: random.uuid(),
    destinationSessionId: random.uuid(),
  })
  addStats(pen, expertLeg, end)
  return end
}

/** The caller speaks to a voice mailbox. Gives the end of the call. */
function leaveVoicemail(pen: Pen, at: number): number {
  const { random, org } = pen
  const end = at + random.int(6_000, 60_000)
  const box = addParticipant(pen, 'voicemail', { participantName: 'Voicemail' })
  const leg = addLeg(pen, box, voiceSession(pen, 'inbound'))
  addSpan(leg, 'voicemail', at + 100, end, { groupId: random.pick(org.groups).id, disconnectType: 'peer' })
  addStats(pen, leg, end)
  return end
}

/** Now and then a supervisor listens in, coaches, barges in, or looks at the screen. */
function watch(pen: Pen, visit: QueueVisit, end: number): void {
  const { random, org } = pen
  if (!random.chance(0.03) || end - visit.at < 8_000) return
  const watched = visit.agent?.fields['participantId']
  const kind = random.weighted({ monitoring: 4, coaching: 3, barging: 2, screenmonitoring: 1 })
  const supervisor = org.users[random.int(50, 53)] as User
  const participant = addAgent(pen, supervisor, 'user')
  const start = visit.at + random.int(1_000, 6_000)
  const session: Json = {
    monitoring: { ...voiceSession(pen, 'inbound'), monitoredParticipantId: watched },
    coaching: { ...voiceSession(pen, 'inbound'), coachedParticipantId: watched },
    barging: { ...voiceSession(pen, 'inbound'), bargedParticipantId: watched },
    screenmonitoring: {
      direction: 'inbound',
      mediaType: 'screenmonitoring',
      provider: 'PureCloud Video',
      monitoredParticipantId: watched,
      screenMonitoredUserId: visit.user?.id,
    },
  }[kind]
  const leg = addLeg(pen, participant, session)
  addSpan(leg, kind, start, end, { disconnectType: 'peer' })
}

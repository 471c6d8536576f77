import { voiceTempo, waitInQueue, wrapUp } from './agent-work.ts'
import type { Tempo } from './agent-work.ts'
import { dialOut } from './outbound.ts'
import {
  addAgent,
  addContact,
  addLeg,
  addParticipant,
  addSpan,
  flowOf,
  flowRun,
  joinDivision,
  pickAgent,
  pickQueue,
  state,
  voiceSession,
} from './pen.ts'
import type { Pen } from './pen.ts'
import { iso } from './story.ts'
import type { Json, Leg } from './story.ts'

const callbackTempo: Tempo = { ...voiceTempo, media: 'callback', waitMean: 900_000, patienceMean: Infinity }

function callbackSession(pen: Pen, session: Json = {}): Json {
  return {
    callbackNumbers: [pen.contact.phone],
    callbackUserName: pen.contact.name,
    direction: 'inbound',
    mediaType: 'callback',
    provider: 'PureCloud Callback',
    timeoutSeconds: 0,
    ...session,
  }
}

/** A caller asks in the menu to be called back, soon or at a time of choice. */
export function requestedCallback(pen: Pen): void {
  const { random, story } = pen
  story.head['originatingDirection'] = 'inbound'
  const queue = pickQueue(pen)
  const flow = flowOf(pen, 'INBOUNDCALL')
  const asked = story.start + random.int(20_000, 90_000)
  const scheduled = random.chance(0.5) ? asked + random.int(1, 30) * 3_600_000 : undefined
  joinDivision(pen, flow.divisionId, story.start)

  const customer = addContact(pen)
  const callLeg = addLeg(pen, customer, voiceSession(pen, 'inbound'))
  addSpan(callLeg, 'interact', story.start, asked, { disconnectType: 'endpoint' })
  const run = flowRun(pen, flow, {
    entry: 'tel:+18005550100',
    entryType: 'dnis',
    exitReason: 'DISCONNECT',
    from: story.start,
    to: asked,
  })
  const ivrLeg = addLeg(pen, addParticipant(pen, 'ivr', { participantName: flow.name }), voiceSession(pen, 'inbound'), {
    flow: { ...run, issuedCallback: true },
  })
  addSpan(ivrLeg, 'ivr', story.start + 20, asked, { disconnectType: 'client' })

  const schedule = scheduled === undefined ? {} : { callbackScheduledTime: iso(scheduled) }
  const waiting = addLeg(pen, customer, callbackSession(pen, schedule))
  state(waiting, 'nCallbackScheduled', 1, asked)
  const due = scheduled ?? asked + 1_000
  if (scheduled !== undefined) addSpan(waiting, 'scheduled', asked, scheduled, { queueId: queue.id })
  const visit = waitInQueue(pen, due, queue, callbackTempo, () => callbackSession(pen, schedule), { flowInType: 'ivr' })
  if (!visit.leg || !visit.agent) {
    addSpan(waiting, 'interact', due, visit.at, { queueId: queue.id, disconnectType: 'system' })
    return
  }
  state(visit.leg, 'nCallbackAttempts', 1, visit.at)
  if (visit.at - due > queue.serviceLevelMs.callback) state(visit.leg, 'nCallbackOverSla', 1, visit.at)
  const end = dialOut(pen, visit.agent, visit.at + random.int(2_000, 15_000), {}, visit.leg)
  addSpan(visit.leg, 'interact', visit.at, end, { queueId: queue.id, disconnectType: 'client' })
  addSpan(waiting, 'interact', due, end, { queueId: queue.id, disconnectType: 'peer' })
  wrapUp(pen, visit.leg, end, queue, voiceTempo)
}

/** An agent schedules a callback for themself and calls when it is due. */
export function agentOwnedCallback(pen: Pen): void {
  const { random, story } = pen
  story.head['originatingDirection'] = 'outbound'
  const queue = pickQueue(pen)
  const user = pickAgent(pen, queue)
  const due = story.start + random.int(2, 40) * 1_800_000
  joinDivision(pen, queue.divisionId, story.start)
  const agent = addAgent(pen, user)
  const leg: Leg = addLeg(
    pen,
    agent,
    callbackSession(pen, { agentOwned: true, callbackScheduledTime: iso(due), direction: 'outbound' }),
  )
  state(leg, 'nCallbackScheduled', 1, story.start)
  addSpan(leg, 'scheduled', story.start, due, { queueId: queue.id, requestedRoutingUserIds: [user.id] })
  const answered = due + random.int(1_000, 20_000)
  addSpan(leg, 'alert', due, answered, { queueId: queue.id })
  state(leg, 'nCallbackAttempts', 1, answered)
  const end = dialOut(pen, agent, answered + 1_500, {}, leg)
  addSpan(leg, 'interact', answered, end, { queueId: queue.id, disconnectType: 'client' })
  wrapUp(pen, leg, end, queue, voiceTempo)
}

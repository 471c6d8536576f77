import { wrapUp } from './agent-work.ts'
import { VOICE_TIMING, type MediaTiming } from './media-timing.ts'
import { waitInQueue } from './queue-visit.ts'
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
  type ConversationBuilder,
} from './conversation-builder.ts'
import { iso, type Json, type Leg } from '../conversation-plan.ts'

const CALLBACK_TIMING: MediaTiming = {
  ...VOICE_TIMING,
  media: 'callback',
  waitMeanMs: 900_000,
  patienceMeanMs: Infinity,
}

function callbackSession(builder: ConversationBuilder, session: Json = {}): Json {
  return {
    callbackNumbers: [builder.contact.phone],
    callbackUserName: builder.contact.name,
    direction: 'inbound',
    mediaType: 'callback',
    provider: 'PureCloud Callback',
    timeoutSeconds: 0,
    ...session,
  }
}

/** A caller asks in the menu to be called back, soon or at a time of choice. */
export function requestedCallback(builder: ConversationBuilder): void {
  const { random, plan } = builder
  plan.head['originatingDirection'] = 'inbound'
  const queue = pickQueue(builder)
  const flow = flowOf(builder, 'INBOUNDCALL')
  const asked = plan.start + random.int(20_000, 90_000)
  const scheduled = random.chance(0.5) ? asked + random.int(1, 30) * 3_600_000 : undefined
  joinDivision(builder, flow.divisionId, plan.start)

  const customer = addContact(builder)
  const callLeg = addLeg(builder, customer, voiceSession(builder, 'inbound'))
  addSpan(callLeg, 'interact', plan.start, asked, { disconnectType: 'endpoint' })
  const run = flowRun(builder, flow, {
    entry: 'tel:+18005550100',
    entryType: 'dnis',
    exitReason: 'DISCONNECT',
    from: plan.start,
    to: asked,
  })
  const ivrLeg = addLeg(
    builder,
    addParticipant(builder, 'ivr', { participantName: flow.name }),
    voiceSession(builder, 'inbound'),
    {
      flow: { ...run, issuedCallback: true },
    },
  )
  addSpan(ivrLeg, 'ivr', plan.start + 20, asked, { disconnectType: 'client' })

  const schedule = scheduled === undefined ? {} : { callbackScheduledTime: iso(scheduled) }
  const waiting = addLeg(builder, customer, callbackSession(builder, schedule))
  state(waiting, 'nCallbackScheduled', 1, asked)
  const due = scheduled ?? asked + 1_000
  if (scheduled !== undefined) addSpan(waiting, 'scheduled', asked, scheduled, { queueId: queue.id })
  const visit = waitInQueue(builder, due, queue, CALLBACK_TIMING, () => callbackSession(builder, schedule), {
    flowInType: 'ivr',
  })
  if (!visit.leg || !visit.agent) {
    addSpan(waiting, 'interact', due, visit.at, { queueId: queue.id, disconnectType: 'system' })
    return
  }
  state(visit.leg, 'nCallbackAttempts', 1, visit.at)
  if (visit.at - due > queue.serviceLevelMs.callback) state(visit.leg, 'nCallbackOverSla', 1, visit.at)
  const end = dialOut(builder, visit.agent, visit.at + random.int(2_000, 15_000), {}, visit.leg)
  addSpan(visit.leg, 'interact', visit.at, end, { queueId: queue.id, disconnectType: 'client' })
  addSpan(waiting, 'interact', due, end, { queueId: queue.id, disconnectType: 'peer' })
  wrapUp(builder, visit.leg, end, queue, VOICE_TIMING)
}

/** An agent schedules a callback for themself and calls when it is due. */
export function agentOwnedCallback(builder: ConversationBuilder): void {
  const { random, plan } = builder
  plan.head['originatingDirection'] = 'outbound'
  const queue = pickQueue(builder)
  const user = pickAgent(builder, queue)
  const due = plan.start + random.int(2, 40) * 1_800_000
  joinDivision(builder, queue.divisionId, plan.start)
  const agent = addAgent(builder, user)
  const leg: Leg = addLeg(
    builder,
    agent,
    callbackSession(builder, { agentOwned: true, callbackScheduledTime: iso(due), direction: 'outbound' }),
  )
  state(leg, 'nCallbackScheduled', 1, plan.start)
  addSpan(leg, 'scheduled', plan.start, due, { queueId: queue.id, requestedRoutingUserIds: [user.id] })
  const answered = due + random.int(1_000, 20_000)
  addSpan(leg, 'alert', due, answered, { queueId: queue.id })
  state(leg, 'nCallbackAttempts', 1, answered)
  const end = dialOut(builder, agent, answered + 1_500, {}, leg)
  addSpan(leg, 'interact', answered, end, { queueId: queue.id, disconnectType: 'client' })
  wrapUp(builder, leg, end, queue, VOICE_TIMING)
}

import { finishVoice, hangUp, talk, wrapUp } from './agent-work.ts'
import { VOICE_TIMING } from './media-timing.ts'
import { waitInQueue } from './queue-visit.ts'
import {
  addAgent,
  addContact,
  addLeg,
  addSpan,
  addStats,
  joinDivision,
  pickAgent,
  pickQueue,
  state,
  voiceSession,
  type ConversationBuilder,
} from './conversation-builder.ts'
import type { Json, Leg } from '../conversation-plan.ts'
import { callSession } from './voice.ts'

/** Why a dialed call reached nobody: its disposition, its system wrap-up code, and the SIP and Q.850 codes. */
const FAILURES = [
  { name: 'disposition.classification.callable.busy', code: 'ININ-OUTBOUND-BUSY', sip: [486], q850: [17] },
  { name: 'disposition.classification.callable.noanswer', code: 'ININ-OUTBOUND-NO-ANSWER', sip: [480], q850: [19] },
  { name: 'disposition.classification.callable.machine', code: 'ININ-OUTBOUND-MACHINE', sip: [200], q850: [16] },
  { name: 'disposition.classification.uncallable.sit', code: 'ININ-OUTBOUND-SIT-UNCALLABLE', sip: [404], q850: [1] },
] as const

function campaignFields(builder: ConversationBuilder): Json {
  const { random, org } = builder
  const campaign = random.pick(org.campaigns)
  return {
    outboundCampaignId: campaign.id,
    outboundContactId: random.uuid().replaceAll('-', ''),
    outboundContactListId: campaign.contactListId,
  }
}

/** A call of a dialing campaign: mostly nobody is reached; else it goes through the campaign's queue to an agent. */
export function campaignCall(builder: ConversationBuilder): void {
  const { random, plan } = builder
  plan.head['originatingDirection'] = 'outbound'
  const contact = addContact(builder, 'outbound')
  const fields = campaignFields(builder)
  const leg = addLeg(builder, contact, voiceSession(builder, 'outbound', fields))
  const rung = plan.start + random.int(3_000, 24_000)
  state(leg, 'nOutbound', 1, plan.start)
  state(leg, 'nOutboundAttempted', 1, plan.start)
  if (random.chance(0.45)) {
    const failure = random.pick(FAILURES)
    Object.assign(leg.session, { dispositionAnalyzer: 'disposition.analyzer', dispositionName: failure.name })
    const codes = { sipResponseCodes: [...failure.sip], q850ResponseCodes: [...failure.q850] }
    addSpan(leg, 'dialing', plan.start, rung, {
      disconnectType: 'uncallable',
      errorCode: 'error.ininedgecontrol.connection.outbound',
      ...codes,
    })
    addSpan(leg, 'wrapup', rung, rung, { wrapUpCode: failure.code })
    return
  }
  Object.assign(leg.session, {
    dispositionAnalyzer: 'speech.person',
    dispositionName: 'disposition.classification.callable.person',
    detectedSpeechStart: new Date(rung + 400).toISOString(),
    detectedSpeechEnd: new Date(rung + 1_400).toISOString(),
  })
  addSpan(leg, 'dialing', plan.start, rung, {})
  state(leg, 'nOutboundConnected', 1, rung)
  const visit = waitInQueue(builder, rung + 1_500, pickQueue(builder), { ...VOICE_TIMING, waitMeanMs: 1_500, patienceMeanMs: 20_000 }, (role, user) => ({
    ...callSession(builder, 'outbound')(role, user),
    ...fields,
  }), { flowInType: 'outbound' }) // prettier-ignore
  const ends = hangUp(builder)
  let end = visit.at
  if (visit.leg) {
    end = talk(builder, visit.leg, visit.at, visit.queue, { ...VOICE_TIMING, talkMedianMs: 80_000 }, ends.agent)
    finishVoice(builder, visit.leg, end)
    wrapUp(builder, visit.leg, end, visit.queue, VOICE_TIMING)
  } else state(leg, 'nOutboundAbandoned', 1, end)
  addSpan(leg, 'interact', rung, end, ends.customer)
  addStats(builder, leg, end)
}

/** An agent previews a contact of a campaign, then calls or skips it. */
export function previewCall(builder: ConversationBuilder): void {
  const { random, plan } = builder
  plan.head['originatingDirection'] = 'outbound'
  const queue = pickQueue(builder)
  const user = pickAgent(builder, queue)
  joinDivision(builder, queue.divisionId, plan.start)
  const agent = addAgent(builder, user)
  const fields = campaignFields(builder)
  const preview = addLeg(builder, agent, {
    ...fields,
    callbackNumbers: [builder.contact.phone],
    callbackUserName: builder.contact.name,
    direction: 'outbound',
    mediaType: 'callback',
    provider: 'PureCloud Callback',
    skipEnabled: true,
    timeoutSeconds: random.pick([30, 60, 120]),
  })
  const shown = plan.start + random.int(1_000, 4_000)
  const decided = shown + random.int(5_000, 60_000)
  addSpan(preview, 'alert', plan.start, shown, { queueId: queue.id })
  if (random.chance(0.2)) {
    addSpan(preview, 'interact', shown, decided, { queueId: queue.id, disconnectType: 'client' })
    addSpan(preview, 'wrapup', decided, decided, { queueId: queue.id, wrapUpCode: 'ININ-OUTBOUND-PREVIEW-SKIPPED' })
    return
  }
  const end = dialOut(builder, agent, decided, fields, preview)
  addSpan(preview, 'interact', shown, end, { queueId: queue.id, disconnectType: 'client' })
  wrapUp(builder, preview, end, queue, VOICE_TIMING)
}

/** An agent dials a number by hand, on behalf of a queue or without one. */
export function manualCall(builder: ConversationBuilder): void {
  const { random, plan } = builder
  plan.head['originatingDirection'] = 'outbound'
  const queue = pickQueue(builder)
  const agent = addAgent(builder, pickAgent(builder, queue))
  joinDivision(builder, queue.divisionId, plan.start)
  const end = dialOut(builder, agent, plan.start, {})
  const leg = agent.legs[0] as Leg
  state(leg, 'nOutbound', 1, plan.start)
  if (random.chance(0.6)) wrapUp(builder, leg, end, queue, VOICE_TIMING)
}

/**
 * An agent calls the contact.
 * @param callback the agent's callback session that the call belongs to: it handles the call and has the calling in
 *   tActiveCallback, in addition to its talk time and not as a part of its tHandle
 * @returns the end of the call
 */
export function dialOut(
  builder: ConversationBuilder,
  agent: ReturnType<typeof addAgent>,
  at: number,
  fields: Json,
  callback?: Leg,
): number {
  const { random } = builder
  const finished = (end: number): number => {
    if (!callback) return end
    state(callback, 'tActiveCallback', end - at, end)
    state(callback, 'tActiveCallbackComplete', end - at, end)
    return end
  }
  const leg = addLeg(builder, agent, voiceSession(builder, 'outbound', { ...fields, recording: true }))
  leg.partOfCallback = callback !== undefined
  const contact = addContact(builder, random.chance(0.6) ? 'customer' : 'external')
  const contactLeg = addLeg(builder, contact, voiceSession(builder, 'outbound', fields))
  const ringing = at + random.int(300, 2_000)
  const answered = ringing + random.int(2_000, 25_000)
  addSpan(leg, 'contacting', at, ringing, {})
  addSpan(contactLeg, 'dialing', ringing, answered, {})
  if (random.chance(0.25)) {
    addSpan(leg, 'dialing', ringing, answered, {
      disconnectType: 'peer',
      sipResponseCodes: [480],
      q850ResponseCodes: [19],
    })
    return finished(answered)
  }
  addSpan(leg, 'dialing', ringing, answered, {})
  const ends = hangUp(builder)
  const end = talk(builder, leg, answered, undefined, VOICE_TIMING, ends.agent)
  finishVoice(builder, leg, end)
  addSpan(contactLeg, 'interact', answered, end, ends.customer)
  addStats(builder, contactLeg, end)
  return finished(end)
}

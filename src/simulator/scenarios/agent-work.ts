import { addSpan, addStats, state, type ConversationBuilder } from './conversation-builder.ts'
import type { Json, Leg } from '../conversation-plan.ts'
import type { MediaTiming } from './media-timing.ts'
import type { Queue } from '../org.ts'

/** Adds after-call work in the form that the conversation has it; its metric is mostly shorter than the segment. */
export function addAcw(builder: ConversationBuilder, leg: Leg, start: number, end: number, fields: Json): void {
  const { random } = builder
  const span = addSpan(leg, 'wrapup', start, end, fields)
  span.appearsAtEnd = !builder.isAcwOpen
  if (end - start > 12_000 && random.chance(0.6)) span.shortfall = random.int(300, 5_000)
}

/**
 * Adds talk time, with holds now and then.
 * @param ending fields of the last segment: how the contact ends
 * @returns the instant at which it ends
 */
export function talk(
  builder: ConversationBuilder,
  leg: Leg,
  start: number,
  queue: Queue | undefined,
  timing: MediaTiming,
  ending: Json,
): number {
  const { random } = builder
  const fields = queue ? { queueId: queue.id } : {}
  let at = start
  const holds = random.chance(timing.holdShare) ? random.int(1, timing.holdsMax) : 0
  const talkDuration = (): number => Math.max(1_500, random.skewed(timing.talkMedianMs / (holds + 1), 0.7))
  for (let i = 0; i < holds; i++) {
    const talked = at + talkDuration()
    addSpan(leg, 'interact', at, talked, fields)
    at = talked + Math.max(2_000, random.skewed(40_000, 0.8))
    // Some customers hang up while they are on hold.
    if (i === holds - 1 && random.chance(0.15)) {
      addSpan(leg, 'hold', talked, at, { ...fields, ...ending })
      return at
    }
    addSpan(leg, 'hold', talked, at, fields)
  }
  const end = at + talkDuration()
  addSpan(leg, 'interact', at, end, { ...fields, ...(random.chance(0.03) && { audioMuted: true }), ...ending })
  return end
}

/**
 * Adds after-call work, sometimes skipped, sometimes cut off by the timeout.
 * @returns the instant at which it ends
 */
export function wrapUp(
  builder: ConversationBuilder,
  leg: Leg,
  start: number,
  queue: Queue | undefined,
  timing: MediaTiming,
): number {
  const { random, org } = builder
  if (random.chance(0.12)) {
    leg.session['acwSkipped'] = true
    return start
  }
  const timedOut = random.chance(0.06)
  const end = start + (timedOut ? 120_000 : Math.max(900, random.skewed(timing.acwMedianMs, 0.8)))
  addAcw(builder, leg, start, end, {
    ...(queue && { queueId: queue.id }),
    wrapUpCode: timedOut ? 'ININ-WRAP-UP-TIMEOUT' : random.pick(org.wrapUpCodes).id,
    ...(random.chance(0.15) && { wrapUpNote: note(builder) }),
    ...(random.chance(0.05) && { wrapUpTags: random.sample(['vip', 'callback', 'complaint', 'upsell'], 2) }),
  })
  return end
}

function note(builder: ConversationBuilder): string {
  const { random, contact } = builder
  return random.pick([
    `Spoke to ${contact.name}, reachable at ${contact.phone}.`,
    `Customer asked for a copy by e-mail to ${contact.email}.`,
    'Order checked,\ncustomer informed.\tNo further action.',
    'Refund of 12.50 agreed; see ticket.',
    'Kunde wünscht Rückruf nächste Woche.',
  ])
}

/** Decides which side hangs up. Returns the fields of the last segment of the agent and of the customer. */
export function hangUp(builder: ConversationBuilder): { agent: Json; customer: Json } {
  return builder.random.chance(0.7)
    ? { agent: { disconnectType: 'peer' }, customer: { disconnectType: 'endpoint' } }
    : { agent: { disconnectType: 'client' }, customer: { disconnectType: 'peer' } }
}

/** Closes a voice session of an agent: audio figures, errors now and then. */
export function finishVoice(builder: ConversationBuilder, leg: Leg, at: number): void {
  const { random } = builder
  addStats(builder, leg, at)
  if (random.chance(0.02)) {
    state(leg, 'nError', 1, at)
    leg.session['errorCodeDescription'] = 'The media connection was lost'
    const last = leg.spans.findLast((span) => span.type !== 'wrapup')
    if (last) Object.assign(last.fields, { errorCode: 'error.ininedgecontrol.connection.media.endpoint' })
  }
  if (random.chance(0.004)) state(leg, 'nStateTransitionError', 1, at)
}

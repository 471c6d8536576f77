import type { MediaTiming } from './media-timing.ts'
import { waitInQueue } from './queue-visit.ts'
import { addContact, addLeg, addSpan, pickQueue, type ConversationBuilder } from './conversation-builder.ts'
import type { Json } from '../conversation-plan.ts'
import { handleWrittenContact } from './written-work.ts'

const TIMING: MediaTiming = {
  media: 'chat',
  waitMeanMs: 22_000,
  patienceMeanMs: 200_000,
  givesUp: 'abandoned',
  autoAnswerShare: 0,
  alertMaxMs: 9_000,
  talkMedianMs: 420_000,
  acwMedianMs: 25_000,
  holdShare: 0.25,
  holdsMax: 3,
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
  const visit = waitInQueue(builder, plan.start + 5, queue, TIMING, session, { flowInType: 'flow' })
  const timeout = random.chance(0.1)
  const end = handleWrittenContact(builder, visit, TIMING, { disconnectType: timeout ? 'peer' : 'client' }, leg)
  addSpan(leg, 'interact', plan.start, end, { queueId: queue.id, disconnectType: timeout ? 'timeout' : 'peer' })
}

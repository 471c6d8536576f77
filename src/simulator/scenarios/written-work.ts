import { talk, wrapUp } from './agent-work.ts'
import type { MediaTiming } from './media-timing.ts'
import type { QueueVisit } from './queue-visit.ts'
import { state, type ConversationBuilder } from './conversation-builder.ts'
import type { Json, Leg } from '../conversation-plan.ts'

/** No round of a thread begins later than this after its start, so that the store knows where to search for open ones. */
const LAST_ROUND_WITHIN_MS = 40 * 86_400_000

/**
 * When the next reply reopens a thread, if one does: the more rounds a thread has had, the likelier is another one.
 * @param ended when the thread's last segment ended
 * @param meanMs the mean time until a reply
 * @param withinMs how long a reply reopens the thread instead of beginning a new one
 * @returns milliseconds since 1970; undefined where the thread stays ended
 */
export function nextReply(
  { random, behavior, plan }: ConversationBuilder,
  rounds: number,
  ended: number,
  meanMs: number,
  withinMs: number,
): number | undefined {
  if (!random.chance(rounds === 1 ? behavior.reopenedShare : 0.7)) return undefined
  const again = ended + Math.min(60_000 + random.exponential(meanMs), withinMs - 1)
  return again - plan.start > LAST_ROUND_WITHIN_MS ? undefined : again
}

/**
 * Adds the agent's part of a written contact, with after-call work.
 * @param customerLeg where the metrics of the customer's answers belong
 * @returns when it ended, after-call work apart
 */
export function handleWrittenContact(
  builder: ConversationBuilder,
  visit: QueueVisit,
  timing: MediaTiming,
  ending: Json,
  customerLeg: Leg,
): number {
  if (!visit.leg) return visit.at
  const end = talk(builder, visit.leg, visit.at, visit.queue, timing, ending)
  addExchangeMetrics(builder, visit.leg, customerLeg, visit.at, end)
  wrapUp(builder, visit.leg, end, visit.queue, timing)
  return end
}

/** Adds the metrics of a written exchange. */
function addExchangeMetrics(
  { random }: ConversationBuilder,
  leg: Leg,
  customerLeg: Leg,
  from: number,
  to: number,
): void {
  const turns = random.int(1, 6)
  state(leg, 'tFirstEngagement', random.int(1_000, 9_000), from)
  state(leg, 'tFirstResponse', random.int(5_000, 60_000), from + Math.floor((to - from) / 8))
  state(leg, 'tAgentResponseTime', random.int(5_000, 90_000), from + Math.floor((to - from) / 4))
  state(customerLeg, 'tUserResponseTime', random.int(5_000, 90_000), from + Math.floor((to - from) / 3))
  state(leg, 'oMessageTurn', turns, to)
}

import { metricsOf } from './metrics.ts'
import { endOf, iso, type Json, type Leg, type ConversationPlan } from './conversation-plan.ts'

/** Writes a leg as the session of the API, metrics included. */
function writeSession(leg: Leg): Json {
  const segments = leg.spans.map((span) => ({
    conference: false,
    ...span.fields,
    ...(span.end === Infinity ? {} : { segmentEnd: iso(span.end) }),
    segmentStart: iso(span.start),
    segmentType: span.type,
  }))
  const metrics = metricsOf(leg)
    .sort((a, b) => a.at - b.at)
    .map(({ name, value, at }) => ({ emitDate: iso(at), name, value }))
  return {
    ...leg.session,
    ...(leg.stats.length > 0 && { mediaEndpointStats: leg.stats }),
    ...(leg.flow && { flow: leg.flow }),
    ...(metrics.length > 0 && { metrics }),
    segments,
  }
}

function lowest(plan: ConversationPlan, field: string): number | undefined {
  let min: number | undefined
  for (const { legs } of plan.participants)
    for (const { stats } of legs)
      for (const stat of stats) {
        const value = stat[field]
        if (typeof value === 'number' && (min === undefined || value < min)) min = value
      }
  return min
}

/** Writes the whole life of a conversation as the API's JSON, without late records, which `asOf` adds. */
export function writeConversation(plan: ConversationPlan): Json {
  const end = endOf(plan)
  const mos = lowest(plan, 'minMos')
  const rFactor = lowest(plan, 'minRFactor')
  return {
    ...(end !== Infinity && { conversationEnd: iso(end) }),
    conversationId: plan.id,
    conversationStart: iso(plan.start),
    ...(mos !== undefined && { mediaStatsMinConversationMos: mos }),
    ...(rFactor !== undefined && { mediaStatsMinConversationRFactor: rFactor }),
    ...(plan.inactivityMs !== undefined && end !== Infinity && { inactivityTimeout: iso(end + plan.inactivityMs) }),
    ...plan.head,
    participants: plan.participants.map(({ fields, legs }) => ({ ...fields, sessions: legs.map(writeSession) })),
  }
}

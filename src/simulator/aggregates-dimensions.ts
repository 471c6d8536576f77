import type { MetricRow } from './aggregates-rows.ts'
import { objectsOf } from './predicates.ts'
import type { Json } from './conversation-plan.ts'

type Getter = (row: MetricRow) => unknown

function fields(names: string, part: (row: MetricRow) => Json | undefined): Record<string, Getter> {
  return Object.fromEntries(
    names
      .trim()
      .split(/\s+/)
      .map((name) => [name, (row: MetricRow): unknown => part(row)?.[name]]),
  )
}

/** Dimensions of the API that nothing in the simulated organization has a value of. */
const WITHOUT_VALUE = `activeRouting agentRank canonicalExternalContactId convertedFrom convertedTo externalMediaCount firstQueue
  interactionType proposedAgentId routingPriority stationId`

/**
 * What conversation aggregates can be grouped by and filtered on (the enum of ConversationAggregateQueryPredicate.dimension), with
 * where a metric has it from. Queue, skills and language come from one segment of the metric's own session.
 */
export const AGGREGATE_DIMENSIONS: Readonly<Record<string, Getter>> = {
  ...fields(WITHOUT_VALUE, () => undefined),
  ...fields(
    `conversationId conversationInitiator customerParticipation externalTag originatingDirection
     originatingSocialMediaPublic selfServed`,
    ({ conversation }) => conversation,
  ),
  ...fields(
    'externalContactId externalOrganizationId flaggedReason participantName purpose teamId userId',
    ({ participant }) => participant,
  ),
  ...fields(
    `addressFrom addressTo agentAssistantId agentBullseyeRing agentOwned ani assignerId authenticated deliveryStatus direction
     dnis edgeId extendedDeliveryStatus flowInType flowOutType journeyActionId journeyActionMapId journeyActionMapVersion
     journeyCustomerId journeyCustomerIdType journeyCustomerSessionId journeyCustomerSessionIdType mediaCount mediaType
     messageType outboundCampaignId outboundContactId outboundContactListId peerId provider remote roomId routingRing
     routingRule routingRuleType selectedAgentId selectedAgentRank sessionDnis sessionId skillExpressionId usedRouting
     videoPresent`,
    ({ session }) => session,
  ),
  ...fields('disconnectType errorCode groupId queueId requestedLanguageId', ({ segment }) => segment),
  activeSkillId: ({ session }) => session['activeSkillIds'],
  agentScore: ({ segment }) => objectsOf(segment?.['scoredAgents']).map(({ agentScore }) => agentScore),
  destinationAddress: ({ session }) => session['destinationAddresses'],
  divisionId: ({ conversation }) => conversation['divisionIds'],
  eligibleAgentCount: ({ session }) => session['eligibleAgentCounts'],
  knowledgeBaseId: ({ conversation }) => conversation['knowledgeBaseIds'],
  removedSkillId: ({ session }) => session['removedSkillIds'],
  requestedRouting: ({ session }) => session['requestedRoutings'],
  requestedRoutingSkillId: ({ segment }) => segment?.['requestedRoutingSkillIds'],
  scoredAgentId: ({ segment }) => objectsOf(segment?.['scoredAgents']).map(({ scoredAgentId }) => scoredAgentId),
  waitingInteractionCount: ({ session }) => session['waitingInteractionCounts'],
  wrapUpCode: ({ session }) => objectsOf(session['segments']).findLast(({ wrapUpCode }) => wrapUpCode)?.['wrapUpCode'],
}

/** The values of a dimension, as texts; none where the metric has none. */
export function valuesOf(row: MetricRow, dimension: string): string[] {
  return [AGGREGATE_DIMENSIONS[dimension]?.(row)]
    .flat()
    .filter((value): value is string | number | boolean => ['string', 'number', 'boolean'].includes(typeof value))
    .map(String)
}

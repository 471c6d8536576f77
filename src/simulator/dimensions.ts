import type { Json } from './conversation-plan.ts'

/** What a segment predicate applies to: the segment with its session, participant and flow. */
export interface SegmentContext {
  readonly participant: Json
  readonly session: Json
  readonly flow: Json
  readonly segment: Json
}

type Getter<T> = (from: T) => unknown

function fields<T extends object>(names: string, part: (from: T) => Json): Record<string, Getter<T>> {
  return Object.fromEntries(names.split(' ').map((name) => [name, (from: T): unknown => part(from)[name]]))
}

function pluck(list: unknown, field: string): unknown[] {
  return Array.isArray(list) ? list.map((item: Json | null) => item?.[field]) : []
}

/** Dimensions of conversationFilters; the enum of ConversationDetailQueryPredicate.dimension. */
export const CONVERSATION_DIMENSIONS: Readonly<Record<string, Getter<Json>>> = {
  ...fields<Json>(
    'conversationEnd conversationId conversationInitiator conversationStart customerParticipation externalTag mediaStatsMinConversationMos originatingDirection originatingSocialMediaPublic',
    (conversation) => conversation,
  ),
  accessAttribute: (conversation) => conversation['accessAttributes'],
  divisionId: (conversation) => conversation['divisionIds'],
}

/** Metrics of conversationFilters; the enum of ConversationDetailQueryPredicate.metric. */
export const CONVERSATION_METRICS: ReadonlySet<string> = new Set(
  `nBlindTransferred nBotInteractions nCallbackAttempts nCallbackOverSla nCallbackScheduled nCobrowseSessions nConnected
   nConsult nConsultTransferred nConversations nError nFlow nFlowMilestone nFlowOutcome nFlowOutcomeFailed nOffered
   nOutbound nOutboundAbandoned nOutboundAttempted nOutboundConnected nOverSla nStateTransitionError nTakeover
   nTransferred oAudioMessageCount oExternalAudioMessageCount oExternalMediaCount oFlowMilestone oMediaCount
   oMessageCount oMessageSegmentCount oMessageTurn oSkillExpressionApplications tAbandon tAcd tActiveCallback
   tActiveCallbackComplete tAcw tAgentResponseTime tAgentVideoConnected tAlert tAnswered tAverageAgentResponseTime
   tAverageCustomerResponseTime tBarging tCoaching tCoachingComplete tConnected tContacting tConversationDuration
   tDialing tFirstConnect tFirstDial tFirstEngagement tFirstResponse tFlow tFlowDisconnect tFlowExit tFlowOut
   tFlowOutcome tHandle tHeld tHeldComplete tIvr tMonitoring tMonitoringComplete tNotResponding tPark tParkComplete
   tScreenMonitoring tShortAbandon tSnippetRecord tTalk tTalkComplete tTransmitting tUserResponseTime tVoicemail`.split(
    /\s+/,
  ),
)

/** Dimensions of segmentFilters; the enum of SegmentDetailQueryPredicate.dimension. */
export const SEGMENT_DIMENSIONS: Readonly<Record<string, Getter<SegmentContext>>> = {
  ...fields<SegmentContext>(
    'externalContactId externalOrganizationId flaggedReason participantName purpose screenRecording teamId userId',
    ({ participant }) => participant,
  ),
  ...fields<SegmentContext>(
    `addressFrom addressTo agentAssistantId agentOwned ani authenticated bargedParticipantId callbackScheduledTime cleared
     coachedParticipantId deliveryPushed deliveryStatus detectedSpeechEnd detectedSpeechStart direction dnis edgeId
     engagementSource extendedDeliveryStatus flowOutType journeyActionId journeyActionMapId journeyCustomerId
     journeyCustomerIdType journeyCustomerSessionId mediaCount mediaType messageType monitoredParticipantId
     outboundCampaignId outboundContactId outboundContactListId protocolCallId provider recording remote
     remoteNameDisplayable screenMonitoredUserId scriptId sessionDnis skillExpressionId snippetRecording usedRouting`.replaceAll(
      /\s+/g,
      ' ',
    ),
    ({ session }) => session,
  ),
  ...fields<SegmentContext>(
    'conference destinationConversationId disconnectType errorCode groupId queueId requestedLanguageId segmentEnd segmentType subject wrapUpCode wrapUpNote',
    ({ segment }) => segment,
  ),
  ...fields<SegmentContext>(
    'exitReason flowId flowName flowVersion transferTargetAddress transferTargetName transferType',
    ({ flow }) => flow,
  ),
  callbackNumber: ({ session }) => session['callbackNumbers'],
  canonicalExternalContactId: ({ participant }) => participant['externalContactId'],
  destinationAddress: ({ session }) => session['destinationAddresses'],
  flowOutcome: ({ flow }) => pluck(flow['outcomes'], 'flowOutcome'),
  flowOutcomeId: ({ flow }) => pluck(flow['outcomes'], 'flowOutcomeId'),
  flowOutcomeValue: ({ flow }) => pluck(flow['outcomes'], 'flowOutcomeValue'),
  requestedRouting: ({ session }) => session['requestedRoutings'],
  requestedRoutingSkillId: ({ segment }) => segment['requestedRoutingSkillIds'],
  scoredAgentId: ({ segment }) => pluck(segment['scoredAgents'], 'scoredAgentId'),
  sipResponseCode: ({ segment }) => segment['sipResponseCodes'],
}

const own = (names: string): Record<string, Getter<Json>> => fields<Json>(names, (item) => item)

/** Dimensions of evaluationFilters. */
export const EVALUATION_DIMENSIONS = own(
  'assigneeApplicable assigneeId calibrationId contextId deleted evaluationId evaluationStatus evaluatorId eventTime formId formName queueId released rescored systemSubmitted userId',
)
/** Dimensions of surveyFilters. */
export const SURVEY_DIMENSIONS = own(
  'eventTime queueId surveyCompletedDate surveyFormContextId surveyFormId surveyId surveyPartialResponse surveyPromoterScore surveyStatus surveyType userId',
)
/** Dimensions of resolutionFilters: none, only the metric. */
export const RESOLUTION_DIMENSIONS: Readonly<Record<string, Getter<Json>>> = {}

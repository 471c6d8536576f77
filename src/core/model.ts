/**
 * THE model: every entity of a conversation and every field of it, once. Row types, Kysely's `Database`, the
 * transform and its inverse, the COPY encoding, `COMMENT ON` and the data dictionary are derived from it.
 * Fields and types: Genesys Cloud Platform API, AnalyticsConversation (SDK 262.0.0).
 */

/** The Postgres type of a field's column. */
export type FieldType =
  | 'text'
  | 'timestamptz'
  | 'bigint'
  | 'double precision'
  | 'boolean'
  | 'text[]'
  | 'bigint[]'
  | 'jsonb'

/** One field of the API: its type in Postgres and what it means. */
export interface Field {
  readonly type: FieldType
  readonly description: string
  /** Set where the value identifies a person or was said or written by one. Ids of records and of agents don't count. */
  readonly personal?: true
}

/** Our columns that place a row in its conversation. */
export type PositionColumn = '_index' | '_participant_index' | '_session_index' | 'participant_id' | 'session_id'

/** One table: where its rows stand in the JSON, and its API fields by API name. */
export interface Entity {
  readonly parent: string | null
  /** The parent's JSON property that holds it; null where the parent's own object is the source. */
  readonly property: string | null
  /** `one`: an object (0..1 a parent), `many`: an array of objects. */
  readonly cardinality: 'one' | 'many'
  /** Our columns that place a row, beside conversation_id and conversation_start. */
  readonly position: readonly PositionColumn[]
  readonly description: string
  readonly fields: Readonly<Record<string, Field>>
}

/**
 * Counts the model's versions; part of the content hash. Raise it when a field is added or changes its type: every
 * conversation then counts as changed, and is written anew when it is next read.
 */
export const modelVersion = 1

export const model = {
  conversations: {
    parent: null,
    property: null,
    cardinality: 'one',
    position: ['_index'],
    description: '',
    fields: {
      accessAttributes: { type: 'text[]', description: '' },
      associatedConversationId: { type: 'text', description: '' },
      conferenceStart: { type: 'timestamptz', description: '' },
      consultationConversationIds: { type: 'text[]', description: '' },
      conversationEnd: { type: 'timestamptz', description: '' },
      conversationId: { type: 'text', description: '' },
      conversationInitiator: { type: 'text', description: '' },
      conversationStart: { type: 'timestamptz', description: '' },
      customerParticipation: { type: 'boolean', description: '' },
      divisionIds: { type: 'text[]', description: '' },
      externalTag: { type: 'text', description: '' },
      inactivityTimeout: { type: 'timestamptz', description: '' },
      knowledgeBaseIds: { type: 'text[]', description: '' },
      mediaStatsMinConversationMos: { type: 'double precision', description: '' },
      mediaStatsMinConversationRFactor: { type: 'double precision', description: '' },
      originatingDirection: { type: 'text', description: '' },
      originatingSocialMediaPublic: { type: 'boolean', description: '' },
      selfServed: { type: 'boolean', description: '' },
    },
  },
  participants: {
    parent: 'conversations',
    property: 'participants',
    cardinality: 'many',
    position: ['_index'],
    description: '',
    fields: {
      externalContactId: { type: 'text', description: '' },
      externalOrganizationId: { type: 'text', description: '' },
      flaggedReason: { type: 'text', description: '' },
      participantId: { type: 'text', description: '' },
      participantName: { type: 'text', description: '' },
      purpose: { type: 'text', description: '' },
      screenRecording: { type: 'boolean', description: '' },
      teamId: { type: 'text', description: '' },
      userId: { type: 'text', description: '' },
    },
  },
  participant_attributes: {
    parent: 'participants',
    property: null,
    cardinality: 'one',
    position: ['_index', '_participant_index', 'participant_id'],
    description: '',
    fields: {
      attributes: { type: 'jsonb', description: '' },
    },
  },
  sessions: {
    parent: 'participants',
    property: 'sessions',
    cardinality: 'many',
    position: ['_index', '_participant_index', 'participant_id'],
    description: '',
    fields: {
      activeSkillIds: { type: 'text[]', description: '' },
      acwSkipped: { type: 'boolean', description: '' },
      addressFrom: { type: 'text', description: '' },
      addressOther: { type: 'text', description: '' },
      addressSelf: { type: 'text', description: '' },
      addressTo: { type: 'text', description: '' },
      agentAssistantId: { type: 'text', description: '' },
      agentBullseyeRing: { type: 'bigint', description: '' },
      agentOwned: { type: 'boolean', description: '' },
      ani: { type: 'text', description: '' },
      assignerId: { type: 'text', description: '' },
      authenticated: { type: 'boolean', description: '' },
      bargedParticipantId: { type: 'text', description: '' },
      bcc: { type: 'text[]', description: '' },
      callbackNumbers: { type: 'text[]', description: '' },
      callbackScheduledTime: { type: 'timestamptz', description: '' },
      callbackUserName: { type: 'text', description: '' },
      cc: { type: 'text[]', description: '' },
      cleared: { type: 'boolean', description: '' },
      coachedParticipantId: { type: 'text', description: '' },
      cobrowseRole: { type: 'text', description: '' },
      cobrowseRoomId: { type: 'text', description: '' },
      deliveryPushed: { type: 'boolean', description: '' },
      deliveryStatus: { type: 'text', description: '' },
      deliveryStatusChangeDate: { type: 'timestamptz', description: '' },
      destinationAddresses: { type: 'text[]', description: '' },
      detectedSpeechEnd: { type: 'timestamptz', description: '' },
      detectedSpeechStart: { type: 'timestamptz', description: '' },
      direction: { type: 'text', description: '' },
      dispositionAnalyzer: { type: 'text', description: '' },
      dispositionName: { type: 'text', description: '' },
      dnis: { type: 'text', description: '' },
      edgeId: { type: 'text', description: '' },
      eligibleAgentCounts: { type: 'bigint[]', description: '' },
      engagementSource: { type: 'text', description: '' },
      errorCodeDescription: { type: 'text', description: '' },
      extendedDeliveryStatus: { type: 'text', description: '' },
      flowInType: { type: 'text', description: '' },
      flowOutType: { type: 'text', description: '' },
      journeyActionId: { type: 'text', description: '' },
      journeyActionMapId: { type: 'text', description: '' },
      journeyActionMapVersion: { type: 'bigint', description: '' },
      journeyCustomerId: { type: 'text', description: '' },
      journeyCustomerIdType: { type: 'text', description: '' },
      journeyCustomerSessionId: { type: 'text', description: '' },
      journeyCustomerSessionIdType: { type: 'text', description: '' },
      mediaBridgeId: { type: 'text', description: '' },
      mediaCount: { type: 'bigint', description: '' },
      mediaType: { type: 'text', description: '' },
      messageType: { type: 'text', description: '' },
      monitoredParticipantId: { type: 'text', description: '' },
      outboundCampaignId: { type: 'text', description: '' },
      outboundContactId: { type: 'text', description: '' },
      outboundContactListId: { type: 'text', description: '' },
      peerId: { type: 'text', description: '' },
      protocolCallId: { type: 'text', description: '' },
      provider: { type: 'text', description: '' },
      recording: { type: 'boolean', description: '' },
      remote: { type: 'text', description: '' },
      remoteNameDisplayable: { type: 'text', description: '' },
      removedSkillIds: { type: 'text[]', description: '' },
      requestedRoutings: { type: 'text[]', description: '' },
      roomId: { type: 'text', description: '' },
      routingRing: { type: 'bigint', description: '' },
      routingRule: { type: 'text', description: '' },
      routingRuleType: { type: 'text', description: '' },
      screenMonitoredUserId: { type: 'text', description: '' },
      screenShareAddressSelf: { type: 'text', description: '' },
      screenShareRoomId: { type: 'text', description: '' },
      scriptId: { type: 'text', description: '' },
      selectedAgentId: { type: 'text', description: '' },
      selectedAgentRank: { type: 'bigint', description: '' },
      sessionDnis: { type: 'text', description: '' },
      sessionId: { type: 'text', description: '' },
      sharingScreen: { type: 'boolean', description: '' },
      skillExpressionId: { type: 'text', description: '' },
      skipEnabled: { type: 'boolean', description: '' },
      snippetRecording: { type: 'boolean', description: '' },
      timeoutSeconds: { type: 'bigint', description: '' },
      usedRouting: { type: 'text', description: '' },
      videoAddressSelf: { type: 'text', description: '' },
      videoRoomId: { type: 'text', description: '' },
      waitingInteractionCounts: { type: 'bigint[]', description: '' },
      agentGroups: { type: 'jsonb', description: '' },
      proposedAgents: { type: 'jsonb', description: '' },
    },
  },
  segments: {
    parent: 'sessions',
    property: 'segments',
    cardinality: 'many',
    position: ['_index', '_participant_index', '_session_index', 'participant_id', 'session_id'],
    description: '',
    fields: {
      audioMuted: { type: 'boolean', description: '' },
      conference: { type: 'boolean', description: '' },
      destinationConversationId: { type: 'text', description: '' },
      destinationSessionId: { type: 'text', description: '' },
      disconnectType: { type: 'text', description: '' },
      errorCode: { type: 'text', description: '' },
      groupId: { type: 'text', description: '' },
      q850ResponseCodes: { type: 'bigint[]', description: '' },
      queueId: { type: 'text', description: '' },
      requestedLanguageId: { type: 'text', description: '' },
      requestedRoutingSkillIds: { type: 'text[]', description: '' },
      requestedRoutingUserIds: { type: 'text[]', description: '' },
      segmentEnd: { type: 'timestamptz', description: '' },
      segmentStart: { type: 'timestamptz', description: '' },
      segmentType: { type: 'text', description: '' },
      sipResponseCodes: { type: 'bigint[]', description: '' },
      sourceConversationId: { type: 'text', description: '' },
      sourceSessionId: { type: 'text', description: '' },
      subject: { type: 'text', description: '' },
      videoMuted: { type: 'boolean', description: '' },
      wrapUpCode: { type: 'text', description: '' },
      wrapUpNote: { type: 'text', description: '' },
      wrapUpTags: { type: 'text[]', description: '' },
      scoredAgents: { type: 'jsonb', description: '' },
      properties: { type: 'jsonb', description: '' },
    },
  },
  session_metrics: {
    parent: 'sessions',
    property: 'metrics',
    cardinality: 'many',
    position: ['_index', '_session_index'],
    description: '',
    fields: {
      emitDate: { type: 'timestamptz', description: '' },
      name: { type: 'text', description: '' },
      value: { type: 'bigint', description: '' },
    },
  },
  media_endpoint_stats: {
    parent: 'sessions',
    property: 'mediaEndpointStats',
    cardinality: 'many',
    position: ['_index', '_session_index'],
    description: '',
    fields: {
      codecs: { type: 'text[]', description: '' },
      discardedPackets: { type: 'bigint', description: '' },
      duplicatePackets: { type: 'bigint', description: '' },
      eventTime: { type: 'timestamptz', description: '' },
      invalidPackets: { type: 'bigint', description: '' },
      maxLatencyMs: { type: 'bigint', description: '' },
      minMos: { type: 'double precision', description: '' },
      minRFactor: { type: 'double precision', description: '' },
      overrunPackets: { type: 'bigint', description: '' },
      receivedPackets: { type: 'bigint', description: '' },
      underrunPackets: { type: 'bigint', description: '' },
    },
  },
  flows: {
    parent: 'sessions',
    property: 'flow',
    cardinality: 'one',
    position: ['_index', '_participant_index', '_session_index', 'participant_id', 'session_id'],
    description: '',
    fields: {
      endingLanguage: { type: 'text', description: '' },
      entryReason: { type: 'text', description: '' },
      entryType: { type: 'text', description: '' },
      exitReason: { type: 'text', description: '' },
      flowId: { type: 'text', description: '' },
      flowName: { type: 'text', description: '' },
      flowType: { type: 'text', description: '' },
      flowVersion: { type: 'text', description: '' },
      issuedCallback: { type: 'boolean', description: '' },
      recognitionFailureReason: { type: 'text', description: '' },
      startingLanguage: { type: 'text', description: '' },
      transferTargetAddress: { type: 'text', description: '' },
      transferTargetName: { type: 'text', description: '' },
      transferType: { type: 'text', description: '' },
    },
  },
  flow_outcomes: {
    parent: 'flows',
    property: 'outcomes',
    cardinality: 'many',
    position: ['_index', '_participant_index', '_session_index', 'participant_id', 'session_id'],
    description: '',
    fields: {
      flowOutcome: { type: 'text', description: '' },
      flowOutcomeEndTimestamp: { type: 'timestamptz', description: '' },
      flowOutcomeId: { type: 'text', description: '' },
      flowOutcomeStartTimestamp: { type: 'timestamptz', description: '' },
      flowOutcomeValue: { type: 'text', description: '' },
    },
  },
  evaluations: {
    parent: 'conversations',
    property: 'evaluations',
    cardinality: 'many',
    position: ['_index'],
    description: '',
    fields: {
      assigneeApplicable: { type: 'boolean', description: '' },
      assigneeId: { type: 'text', description: '' },
      calibrationId: { type: 'text', description: '' },
      contextId: { type: 'text', description: '' },
      deleted: { type: 'boolean', description: '' },
      evaluationId: { type: 'text', description: '' },
      evaluationStatus: { type: 'text', description: '' },
      evaluatorId: { type: 'text', description: '' },
      eventTime: { type: 'timestamptz', description: '' },
      formId: { type: 'text', description: '' },
      formName: { type: 'text', description: '' },
      queueId: { type: 'text', description: '' },
      released: { type: 'boolean', description: '' },
      rescored: { type: 'boolean', description: '' },
      systemSubmitted: { type: 'boolean', description: '' },
      userId: { type: 'text', description: '' },
      oTotalCriticalScore: { type: 'bigint', description: '' },
      oTotalScore: { type: 'bigint', description: '' },
    },
  },
  surveys: {
    parent: 'conversations',
    property: 'surveys',
    cardinality: 'many',
    position: ['_index'],
    description: '',
    fields: {
      eventTime: { type: 'timestamptz', description: '' },
      queueId: { type: 'text', description: '' },
      surveyCompletedDate: { type: 'timestamptz', description: '' },
      surveyFormContextId: { type: 'text', description: '' },
      surveyFormId: { type: 'text', description: '' },
      surveyFormName: { type: 'text', description: '' },
      surveyId: { type: 'text', description: '' },
      surveyPartialResponse: { type: 'boolean', description: '' },
      surveyPromoterScore: { type: 'bigint', description: '' },
      surveyStatus: { type: 'text', description: '' },
      surveyType: { type: 'text', description: '' },
      userId: { type: 'text', description: '' },
      oSurveyTotalScore: { type: 'bigint', description: '' },
    },
  },
  resolutions: {
    parent: 'conversations',
    property: 'resolutions',
    cardinality: 'many',
    position: ['_index'],
    description: '',
    fields: {
      eventTime: { type: 'timestamptz', description: '' },
      queueId: { type: 'text', description: '' },
      userId: { type: 'text', description: '' },
      nNextContactAvoided: { type: 'bigint', description: '' },
    },
  },
} as const satisfies Record<string, Entity>

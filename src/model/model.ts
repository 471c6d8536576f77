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
interface Field {
  readonly type: FieldType
  readonly description: string
  /** Set where the value names, reaches or identifies a person, or was written by one. Ids of agents don't count. */
  readonly personal?: true
}

/** Our columns that place a row in its conversation. */
export type PositionColumn = '_index' | '_participant_index' | '_session_index' | 'participant_id' | 'session_id'

/** One table: where its rows are in the JSON, and its API fields by API name. */
export interface Entity {
  readonly parent: string | null
  /** The parent's JSON property that holds it; null where the parent's own object is the source. */
  readonly property: string | null
  /** `one`: an object (0..1 per parent), `many`: an array of objects. */
  readonly cardinality: 'one' | 'many'
  /** Our columns that place a row, beside conversation_id and conversation_start. */
  readonly position: readonly PositionColumn[]
  readonly description: string
  readonly fields: Readonly<Record<string, Field>>
}

/**
 * Fields can be added: the migration that adds the column is all it takes, for rows that are stored are filled from their `_extra`
 * (postgres/fill-columns.ts).
 */
export const model = {
  conversations: {
    parent: null,
    property: null,
    cardinality: 'one',
    position: ['_index'],
    description:
      'One row per conversation: a call, chat, e-mail thread, message thread or callback with everyone who took part. E-mail and message threads can be reopened, for weeks after they ended: conversation_end then disappears and comes back later.',
    fields: {
      accessAttributes: {
        type: 'text[]',
        description: 'Attributes that limit who may see the conversation in Genesys.',
      },
      associatedConversationId: {
        type: 'text',
        description: 'Another conversation that the initiator of this one declared as related. Absent for most.',
      },
      conferenceStart: {
        type: 'timestamptz',
        description: 'When the call became a conference. Absent where it never did.',
      },
      consultationConversationIds: {
        type: 'text[]',
        description: 'Other conversations that the initiator of this one declared as consultations of it.',
      },
      conversationEnd: {
        type: 'timestamptz',
        description:
          'End of the last segment of any party, after-call work included. Absent while the conversation is open and while an agent is still in after-call work, even when the customer has left. A reply can reopen an e-mail thread (within 30 days of the disconnect by default) or a message thread (within 72 hours), again and again. For the end of the contact itself use the last segment_end of the customer.',
      },
      conversationId: {
        type: 'text',
        description: 'Id of the conversation: the same everywhere in Genesys, and in every table here.',
      },
      conversationInitiator: {
        type: 'text',
        description:
          'Kind of party that started a message conversation, as in participants.purpose, e.g. customer, agent, workflow. Absent for other media.',
      },
      conversationStart: {
        type: 'timestamptz',
        description:
          'When the conversation began. Months of it are the partitions of all tables: restrict it in every query.',
      },
      customerParticipation: {
        type: 'boolean',
        description: 'Message conversations: whether the customer wrote anything at all. Absent for other media.',
      },
      divisionIds: {
        type: 'text[]',
        description:
          'Divisions that the conversation touched, in the order that Genesys lists them. A conversation in several divisions is one row, so unnest before grouping by division.',
      },
      externalTag: {
        type: 'text',
        description: 'Free tag that an integration put on the conversation, often a key in another system.',
      },
      inactivityTimeout: {
        type: 'timestamptz',
        description:
          'When a conversation without further activity will count as inactive. Lies in the future while it is open.',
      },
      knowledgeBaseIds: { type: 'text[]', description: 'Knowledge bases that were used.' },
      mediaStatsMinConversationMos: {
        type: 'double precision',
        description:
          'Worst audio quality of any stream as estimated mean opinion score: about 1 (bad) to 5 (excellent); below 3.5 people complain. Voice only.',
      },
      mediaStatsMinConversationRFactor: {
        type: 'double precision',
        description: 'Worst audio quality of any stream as R-factor: 0 (bad) to about 93. Voice only.',
      },
      originatingDirection: {
        type: 'text',
        description: 'Direction of the first contact: inbound, outbound. Stays the same when it is transferred.',
      },
      originatingSocialMediaPublic: {
        type: 'boolean',
        description: 'Whether it began with a public post on social media.',
      },
      selfServed: {
        type: 'boolean',
        description: 'Whether every flow session of the conversation counts as self-service, without an agent.',
      },
    },
  },
  participants: {
    parent: 'conversations',
    property: 'participants',
    cardinality: 'many',
    position: ['_index'],
    description:
      'One row per party of a conversation: the customer, each flow and queue it passed, each agent. The same agent can be several participants, and one participant of an agent can hold several sessions of different queues: take the queue from the segments, not from the participant.',
    fields: {
      externalContactId: {
        type: 'text',
        personal: true,
        description:
          'Contact in the External Contacts directory that this party was recognized as. Absent where unknown. Singles out a person.',
      },
      externalOrganizationId: {
        type: 'text',
        description: "The recognized contact's organization in External Contacts.",
      },
      flaggedReason: { type: 'text', description: 'Set when this party flagged the conversation: general.' },
      participantId: { type: 'text', description: 'Id of the party within the conversation.' },
      participantName: {
        type: 'text',
        personal: true,
        description:
          'Name for display: of the customer (or the number), of the agent, the queue or the flow. Personal data.',
      },
      purpose: {
        type: 'text',
        description:
          'Role of the party: acd, agent, api, botflow, campaign, customer, dialer, external, fax, group, inbound, ivr, manual, outbound, station, user, voicemail, voicesurveyflow, workflow. Most figures need it: customer for the contact, acd for queueing, agent for handling.',
      },
      screenRecording: { type: 'boolean', description: "Whether this party's screen was recorded at some time." },
      teamId: { type: 'text', description: 'Team that the agent belonged to. Absent for others.' },
      userId: {
        type: 'text',
        description: 'The Genesys user behind the party. Absent for customers, queues and flows.',
      },
    },
  },
  participant_attributes: {
    parent: 'participants',
    property: null,
    cardinality: 'one',
    position: ['_index', '_participant_index', 'participant_id'],
    description:
      'The participant data that flows, scripts and integrations attached, one row per participant that has any. Apart from participants, because only details jobs deliver it (HISTORY_ATTRIBUTES): it comes with the days of activity, a day or more after the conversation.',
    fields: {
      attributes: {
        type: 'jsonb',
        personal: true,
        description:
          'The data as a JSON object, names to texts. Names and content are up to the flows of the organization; Genesys cuts each name and each text after 1 024 characters. Often personal data.',
      },
    },
  },
  sessions: {
    parent: 'participants',
    property: 'sessions',
    cardinality: 'many',
    position: ['_index', '_participant_index', 'participant_id'],
    description:
      "One row per leg of a participant in one medium: an agent's voice leg, a callback, a screen share. Most columns belong to one medium and are absent for the others.",
    fields: {
      activeSkillIds: {
        type: 'text[]',
        description: 'Skills that routing was asking for when this session was routed, after any that it gave up.',
      },
      acwSkipped: {
        type: 'boolean',
        description: 'Whether the agent skipped after-call work. Such a session has no tAcw.',
      },
      addressFrom: {
        type: 'text',
        personal: true,
        description:
          'Address that sent or called: an e-mail address, a number or an id of the messaging provider. Personal data.',
      },
      addressOther: { type: 'text', personal: true, description: 'E-mail: address of the other side. Personal data.' },
      addressSelf: { type: 'text', personal: true, description: "E-mail: this party's own address. Personal data." },
      addressTo: { type: 'text', personal: true, description: 'Address that received or was called. Personal data.' },
      agentAssistantId: { type: 'text', description: 'Agent Assist configuration that supported the agent.' },
      agentBullseyeRing: { type: 'bigint', description: 'Ring of bullseye routing in which the agent was found.' },
      agentOwned: { type: 'boolean', description: 'Callbacks: whether it belongs to one agent instead of the queue.' },
      ani: {
        type: 'text',
        personal: true,
        description:
          'Number or address of the caller, as a URI (tel:, sip:) or bare text; may be masked. Personal data.',
      },
      assignerId: { type: 'text', description: 'User who assigned the conversation by hand.' },
      authenticated: {
        type: 'boolean',
        description: "Whether the provider of the channel vouches for the customer's identity.",
      },
      bargedParticipantId: {
        type: 'text',
        description: 'participant_id of the party that this supervisor barged in on.',
      },
      bcc: { type: 'text[]', personal: true, description: 'E-mail: addresses in blind copy. Personal data.' },
      callbackNumbers: { type: 'text[]', personal: true, description: 'Callbacks: numbers to call. Personal data.' },
      callbackScheduledTime: {
        type: 'timestamptz',
        description: 'Callbacks: when the customer wants to be called. Absent for callbacks without appointment.',
      },
      callbackUserName: {
        type: 'text',
        personal: true,
        description: 'Callbacks: name of the one to be called. Personal data.',
      },
      cc: { type: 'text[]', personal: true, description: 'E-mail: addresses in copy. Personal data.' },
      cleared: {
        type: 'boolean',
        description: 'Messages: whether the customer deleted the conversation on their side.',
      },
      coachedParticipantId: { type: 'text', description: 'participant_id of the party that this supervisor coached.' },
      cobrowseRole: { type: 'text', description: 'Cobrowsing: whether this party shared or watched.' },
      cobrowseRoomId: { type: 'text', description: 'Cobrowsing: id of the room.' },
      deliveryPushed: { type: 'boolean', description: 'Whether the message or e-mail went out by push.' },
      deliveryStatus: {
        type: 'text',
        description:
          'How far the e-mail or SMS got: DeliveryFailed, DeliveryPushed, DeliverySuccess, Failed, Published, Queued, Read, Received, Sent.',
      },
      deliveryStatusChangeDate: { type: 'timestamptz', description: 'When delivery_status last changed.' },
      destinationAddresses: {
        type: 'text[]',
        personal: true,
        description: 'Addresses that the party transferred to or consulted. Personal data.',
      },
      detectedSpeechEnd: { type: 'timestamptz', description: 'When recognized speech ended.' },
      detectedSpeechStart: { type: 'timestamptz', description: 'When recognized speech began.' },
      direction: {
        type: 'text',
        description:
          'Direction of this leg: inbound, outbound, as Genesys sees it from the party. Use conversations.originating_direction for that of the contact.',
      },
      dispositionAnalyzer: {
        type: 'text',
        description: 'Dialer: which analysis classified the answer of the line, e.g. speech.person.',
      },
      dispositionName: {
        type: 'text',
        description: 'Dialer: what it found, e.g. disposition.classification.callable.machine.',
      },
      dnis: {
        type: 'text',
        personal: true,
        description:
          "Number or address that was called, as a URI or bare text. Outbound it is the customer's. Personal data.",
      },
      edgeId: { type: 'text', description: 'Edge (media server) that carried the audio.' },
      eligibleAgentCounts: {
        type: 'bigint[]',
        description: 'Predictive routing: agents that qualified, one number per attempt.',
      },
      engagementSource: {
        type: 'text',
        description: 'Open Messaging: where the customer writes from, e.g. WhatsApp, Instagram, SMS, WebChat.',
      },
      errorCodeDescription: { type: 'text', description: 'Explanation in words of an error of this session.' },
      extendedDeliveryStatus: { type: 'text', description: "The provider's own, finer delivery status." },
      flowInType: { type: 'text', description: 'Kind of flow that handed the contact to the queue.' },
      flowOutType: {
        type: 'text',
        description: 'Kind of flow that took the contact out of the queue; goes with the metric tFlowOut.',
      },
      journeyActionId: {
        type: 'text',
        description: 'Predictive engagement: the action (such as an offered chat) that led here.',
      },
      journeyActionMapId: {
        type: 'text',
        description: 'Predictive engagement: the action map that triggered the action.',
      },
      journeyActionMapVersion: { type: 'bigint', description: 'Predictive engagement: version of that action map.' },
      journeyCustomerId: {
        type: 'text',
        personal: true,
        description: 'Journey: id of the visitor in the system that tracked them. Singles out a person.',
      },
      journeyCustomerIdType: { type: 'text', description: 'Journey: what kind of id that is, e.g. cookie.' },
      journeyCustomerSessionId: {
        type: 'text',
        personal: true,
        description: "Journey: id of the visitor's session, e.g. one visit of the website. Singles out a person.",
      },
      journeyCustomerSessionIdType: { type: 'text', description: 'Journey: what kind of session, e.g. web.' },
      mediaBridgeId: { type: 'text', description: 'Conferences: the audio bridge, the same for all parties on it.' },
      mediaCount: { type: 'bigint', description: 'Messages: number of images, files and the like in the session.' },
      mediaType: {
        type: 'text',
        description:
          'Medium: callback, chat, cobrowse, email, internalmessage, message, screenmonitoring, screenshare, unknown, video, voice.',
      },
      messageType: {
        type: 'text',
        description: 'Messages: the channel, e.g. sms, webmessaging, whatsapp, facebook, open.',
      },
      monitoredParticipantId: {
        type: 'text',
        description: 'participant_id of the party that this supervisor listened to.',
      },
      outboundCampaignId: { type: 'text', description: 'Dialer: the campaign.' },
      outboundContactId: {
        type: 'text',
        personal: true,
        description: 'Dialer: the contact within its list. Singles out a person.',
      },
      outboundContactListId: { type: 'text', description: 'Dialer: the contact list.' },
      peerId: {
        type: 'text',
        description:
          "session_id of the opposite leg, e.g. an agent's leg names the customer's. Not always present in the same conversation.",
      },
      protocolCallId: {
        type: 'text',
        description: 'Call id of the underlying protocol, e.g. SIP: the key for tracing a call at the carrier.',
      },
      provider: {
        type: 'text',
        description: 'Service that carried the leg, e.g. Edge for voice, PureCloud Messaging.',
      },
      recording: { type: 'boolean', description: 'Whether the audio was recorded at some time.' },
      remote: {
        type: 'text',
        personal: true,
        description: 'Number, address or name of the remote side. Personal data.',
      },
      remoteNameDisplayable: {
        type: 'text',
        personal: true,
        description: 'Name or id of the remote side as shown to agents. Personal data.',
      },
      removedSkillIds: { type: 'text[]', description: 'Skills that bullseye routing gave up on the way.' },
      requestedRoutings: {
        type: 'text[]',
        description:
          'Routing methods that were tried, e.g. Standard, Preferred, Predictive; the one that succeeded is used_routing.',
      },
      roomId: { type: 'text', description: 'Id of the chat room or of the like; may be the word NONE.' },
      routingRing: { type: 'bigint', description: 'Ring reached in bullseye or preferred-agent routing.' },
      routingRule: { type: 'text', description: 'Rule applied by preferred, conditional or predictive routing.' },
      routingRuleType: {
        type: 'text',
        description: 'Kind of that rule: Bullseye, Conditional, Predictive, Preferred.',
      },
      screenMonitoredUserId: { type: 'text', description: 'User whose screen was watched.' },
      screenShareAddressSelf: {
        type: 'text',
        personal: true,
        description: "Screen share: this party's own address. Personal data.",
      },
      screenShareRoomId: { type: 'text', description: 'Screen share: id of the room.' },
      scriptId: { type: 'text', description: 'Script that the agent was shown.' },
      selectedAgentId: { type: 'text', description: 'User that routing picked.' },
      selectedAgentRank: {
        type: 'bigint',
        description: 'Rank that predictive routing gave to the picked agent; 1 is the best.',
      },
      sessionDnis: {
        type: 'text',
        personal: true,
        description: 'Number dialled for this leg; after a transfer it can differ from dnis. Personal data.',
      },
      sessionId: { type: 'text', description: 'Id of the leg. Unique within its conversation only.' },
      sharingScreen: { type: 'boolean', description: 'Whether the screen was shared.' },
      skillExpressionId: { type: 'text', description: 'Skill expression that was asked for.' },
      skipEnabled: {
        type: 'boolean',
        description: 'Dialer preview: whether the agent was allowed to skip the contact.',
      },
      snippetRecording: { type: 'boolean', description: 'Whether a recording of a part was started by hand.' },
      timeoutSeconds: { type: 'bigint', description: 'Callbacks: seconds until Genesys dials by itself; 0: never.' },
      usedRouting: {
        type: 'text',
        description:
          'Routing method that found the agent: Bullseye, Conditional, Direct, Last, Manual, Predictive, Preferred, Standard, Vip.',
      },
      videoAddressSelf: {
        type: 'text',
        personal: true,
        description: "Video: this party's own address. Personal data.",
      },
      videoRoomId: { type: 'text', description: 'Video: id of the room.' },
      waitingInteractionCounts: {
        type: 'bigint[]',
        description: 'Predictive routing: conversations waiting in the queue, one number per attempt.',
      },
      agentGroups: {
        type: 'jsonb',
        description:
          'Conditional group routing: the groups that were asked, as [{agentGroupId, agentGroupType: Group, SkillGroup or Team}].',
      },
      proposedAgents: {
        type: 'jsonb',
        description:
          'Predictive routing: the agents proposed, as [{proposedAgentId, agentRank}]; the lowest rank is the best.',
      },
    },
  },
  segments: {
    parent: 'sessions',
    property: 'segments',
    cardinality: 'many',
    position: ['_index', '_participant_index', '_session_index', 'participant_id', 'session_id'],
    description:
      'One row per phase of a session: ringing, talking, hold, wrap-up. Phases follow one another and may have no length.',
    fields: {
      audioMuted: { type: 'boolean', description: 'Whether the party was muted.' },
      conference: { type: 'boolean', description: 'Whether the phase took place in a conference.' },
      destinationConversationId: {
        type: 'text',
        description: 'Where joining a conference ended this conversation: the one that goes on.',
      },
      destinationSessionId: {
        type: 'text',
        description: 'Where joining a conference ended this session: the one that goes on.',
      },
      disconnectType: {
        type: 'text',
        description:
          'Who or what ended the session; on its last phase. E.g. client (this party), peer (the other side), system, endpoint, transfer, consultTransfer, conferenceTransfer, timeout, error, spam, uncallable.',
      },
      errorCode: { type: 'text', description: 'Code of the error that ended or prevented the phase.' },
      groupId: { type: 'text', description: 'Group that was addressed.' },
      q850ResponseCodes: {
        type: 'bigint[]',
        description: 'Voice: cause codes of ITU-T Q.850 that the carrier returned, e.g. 16 normal clearing, 17 busy.',
      },
      queueId: {
        type: 'text',
        description:
          "Queue that the phase belongs to: where the contact waited, or for which the agent handled it. The customer's own segments carry one too, that of the first queue, also after a transfer: group by queue over the acd or the agent participants only. Absent outside queues.",
      },
      requestedLanguageId: { type: 'text', description: 'Language skill that was asked for.' },
      requestedRoutingSkillIds: { type: 'text[]', description: 'Skills that were asked for.' },
      requestedRoutingUserIds: { type: 'text[]', description: 'Agents that were asked for.' },
      segmentEnd: { type: 'timestamptz', description: 'When the phase ended. Absent while it lasts.' },
      segmentStart: { type: 'timestamptz', description: 'When the phase began.' },
      segmentType: {
        type: 'text',
        description:
          'What happened: alert, barging, callback, coaching, contacting, converting, delay, dialing, hold, interact, ivr, monitoring, parked, scheduled, screenmonitoring, sharing, system, transmitting, unknown, uploading, voicemail, wrapup.',
      },
      sipResponseCodes: { type: 'bigint[]', description: 'Voice: status codes of SIP, e.g. 200 answered, 486 busy.' },
      sourceConversationId: {
        type: 'text',
        description: 'Where this conversation came out of a conference: the one before it.',
      },
      sourceSessionId: { type: 'text', description: 'Where this session came out of a conference: the one before it.' },
      subject: {
        type: 'text',
        personal: true,
        description: 'E-mail: subject of the first message. Written by people: personal data.',
      },
      videoMuted: { type: 'boolean', description: "Whether the party's video was off." },
      wrapUpCode: {
        type: 'text',
        description:
          'Id of the wrap-up code that the agent chose; on the wrapup phase. Also words of the system such as ININ-WRAP-UP-TIMEOUT, so not always a UUID.',
      },
      wrapUpNote: {
        type: 'text',
        personal: true,
        description: 'Note that the agent wrote after the contact. Free text, often personal data.',
      },
      wrapUpTags: { type: 'text[]', description: 'Tags that the agent set after the contact.' },
      scoredAgents: {
        type: 'jsonb',
        description:
          'Predictive routing: the scores of agents, as [{scoredAgentId, agentScore}]; 0 to 100, more is better.',
      },
      properties: { type: 'jsonb', description: 'Further properties of the phase, as Genesys lists them.' },
    },
  },
  session_metrics: {
    parent: 'sessions',
    property: 'metrics',
    cardinality: 'many',
    position: ['_index', '_session_index'],
    description:
      'One row per value that Genesys measured for a session. The same metric may occur several times in a session. Values need not equal the lengths of the segments, so take figures from here. Filter by purpose or queue before you add up: several participants carry a part of the same story. The data dictionary lists the names of the metrics.',
    fields: {
      emitDate: {
        type: 'timestamptz',
        description:
          'When Genesys counted the value: usually the end of what it measures. Genesys counts a value in the interval of this time, not of conversation_start.',
      },
      name: {
        type: 'text',
        description:
          'Name of the metric. First letter n: a count, t: a duration in milliseconds, o: an observation. E.g. tHandle, tTalkComplete, tAcw, nTransferred.',
      },
      value: { type: 'bigint', description: 'The value: milliseconds for t, a number for n and o.' },
    },
  },
  media_endpoint_stats: {
    parent: 'sessions',
    property: 'mediaEndpointStats',
    cardinality: 'many',
    position: ['_index', '_session_index'],
    description:
      'One row per report on the audio quality of a session, from the point where Genesys receives the stream. Packet counts cover all streams of that endpoint.',
    fields: {
      codecs: { type: 'text[]', description: 'Audio encodings in use, as MIME types, e.g. audio/opus.' },
      discardedPackets: {
        type: 'bigint',
        description: 'Packets thrown away because they came too early or too late for the jitter buffer.',
      },
      duplicatePackets: { type: 'bigint', description: 'Packets that came more than once.' },
      eventTime: { type: 'timestamptz', description: 'When the report was made.' },
      invalidPackets: { type: 'bigint', description: 'Packets that were no usable audio.' },
      maxLatencyMs: { type: 'bigint', description: 'Longest delay of any stream, in milliseconds.' },
      minMos: {
        type: 'double precision',
        description: 'Worst estimated mean opinion score of any stream: about 1 (bad) to 5 (excellent).',
      },
      minRFactor: { type: 'double precision', description: 'Worst R-factor of any stream: 0 (bad) to about 93.' },
      overrunPackets: {
        type: 'bigint',
        description: 'Packets that found the jitter buffer full. Contained in discarded_packets.',
      },
      receivedPackets: {
        type: 'bigint',
        description: 'All packets that arrived: invalid, duplicate and discarded ones included.',
      },
      underrunPackets: {
        type: 'bigint',
        description: 'Packets that came after their turn to be played. Contained in discarded_packets.',
      },
    },
  },
  flows: {
    parent: 'sessions',
    property: 'flow',
    cardinality: 'one',
    position: ['_index', '_participant_index', '_session_index', 'participant_id', 'session_id'],
    description:
      'One row per session that ran an Architect flow: IVR, bot, in-queue flow, workflow, survey. At most one per session. An in-queue flow is listed on the session of the queue (purpose acd), without the exit columns and without metrics of its own: count executions by the metric nFlow, not by rows.',
    fields: {
      endingLanguage: { type: 'text', description: 'Language at the end, e.g. en-us.' },
      entryReason: {
        type: 'text',
        personal: true,
        description:
          'What brought the contact in, according to entry_type: an address, a user or another flow. May be a number: personal data.',
      },
      entryType: { type: 'text', description: 'How the contact came in: agent, direct, dnis, flow, outbound.' },
      exitReason: {
        type: 'text',
        description: 'How the flow ended, e.g. DISCONNECT, TRANSFER, FLOW_ERROR_DISCONNECT.',
      },
      flowId: { type: 'text', description: 'Id of the flow.' },
      flowName: { type: 'text', description: 'Name of the flow at that time.' },
      flowType: {
        type: 'text',
        description:
          'Kind of the flow, e.g. INBOUNDCALL, INQUEUECALL, INBOUNDEMAIL, BOT, DIGITALBOT, WORKFLOW, VOICESURVEY, SURVEYINVITE, COMMONMODULE.',
      },
      flowVersion: { type: 'text', description: 'Published version of the flow, as text such as 22.0.' },
      issuedCallback: { type: 'boolean', description: 'Whether the flow created a callback.' },
      recognitionFailureReason: {
        type: 'text',
        description: 'Why speech or text recognition gave up, where that ended the flow.',
      },
      startingLanguage: { type: 'text', description: 'Language at the start, e.g. en-us.' },
      transferTargetAddress: {
        type: 'text',
        personal: true,
        description:
          'Where the flow transferred to: a number, an e-mail address or the id of a queue. May be personal data.',
      },
      transferTargetName: {
        type: 'text',
        personal: true,
        description: 'Name of that target. May be the name of a person.',
      },
      transferType: {
        type: 'text',
        description: 'Kind of the transfer that ended the flow, e.g. ACD, EXTERNAL. Absent without one.',
      },
    },
  },
  flow_outcomes: {
    parent: 'flows',
    property: 'outcomes',
    cardinality: 'many',
    position: ['_index', '_participant_index', '_session_index', 'participant_id', 'session_id'],
    description: 'One row per outcome (a goal defined in Architect) that a flow reached or missed.',
    fields: {
      flowOutcome: {
        type: 'text',
        description:
          'Id of the outcome and its value as id:value, e.g. 6f0c…:SUCCESS. The parts are flow_outcome_id and flow_outcome_value.',
      },
      flowOutcomeEndTimestamp: {
        type: 'timestamptz',
        description: 'When the outcome was decided. Absent while it is open.',
      },
      flowOutcomeId: { type: 'text', description: 'The outcome as defined in Architect.' },
      flowOutcomeStartTimestamp: { type: 'timestamptz', description: 'When the flow began to work towards it.' },
      flowOutcomeValue: { type: 'text', description: 'What came of it, e.g. SUCCESS, FAILURE.' },
    },
  },
  evaluations: {
    parent: 'conversations',
    property: 'evaluations',
    cardinality: 'many',
    position: ['_index'],
    description: 'One row per quality evaluation of the conversation. Changes for weeks after the conversation.',
    fields: {
      assigneeApplicable: { type: 'boolean', description: 'False where the evaluation needs no one to be assigned.' },
      assigneeId: { type: 'text', description: 'User to whom the evaluation is assigned.' },
      calibrationId: {
        type: 'text',
        description: 'Calibration (training of evaluators) that it belongs to. Leave these out of scores.',
      },
      contextId: { type: 'text', description: 'Id that all versions of the form share.' },
      deleted: { type: 'boolean', description: 'Whether it has been deleted. The row stays.' },
      evaluationId: { type: 'text', description: 'Id of the evaluation.' },
      evaluationStatus: {
        type: 'text',
        description: 'State: Pending, InProgress, InReview, Finished, Retracted. Scores count when Finished.',
      },
      evaluatorId: { type: 'text', description: 'User who evaluates.' },
      eventTime: { type: 'timestamptz', description: 'When the evaluation reached its present state.' },
      formId: { type: 'text', description: 'Version of the form.' },
      formName: { type: 'text', description: 'Name of the form.' },
      queueId: { type: 'text', description: 'Queue of the evaluated part.' },
      released: { type: 'boolean', description: 'Whether the agent may see it.' },
      rescored: { type: 'boolean', description: 'Whether the scores were changed after the first time.' },
      systemSubmitted: { type: 'boolean', description: 'Whether the system filled it in by itself.' },
      userId: { type: 'text', description: 'Agent who was evaluated.' },
      oTotalCriticalScore: { type: 'bigint', description: 'Score in percent over the critical questions only.' },
      oTotalScore: { type: 'bigint', description: 'Score in percent over all questions.' },
    },
  },
  surveys: {
    parent: 'conversations',
    property: 'surveys',
    cardinality: 'many',
    position: ['_index'],
    description:
      'One row per survey sent or offered to the customer about the conversation. Changes for weeks after the conversation.',
    fields: {
      eventTime: { type: 'timestamptz', description: 'When the survey reached its present state.' },
      queueId: { type: 'text', description: 'Queue that the surveyed part belongs to.' },
      surveyCompletedDate: { type: 'timestamptz', description: 'When the customer completed it. Absent until then.' },
      surveyFormContextId: { type: 'text', description: 'Id that all versions of the form share.' },
      surveyFormId: { type: 'text', description: 'Version of the form.' },
      surveyFormName: { type: 'text', description: 'Name of the form.' },
      surveyId: { type: 'text', description: 'Id of the survey.' },
      surveyPartialResponse: { type: 'boolean', description: 'Whether required questions were left unanswered.' },
      surveyPromoterScore: {
        type: 'bigint',
        description:
          'Answer to the Net Promoter question: 0 to 10; 9 and 10 promote, 0 to 6 detract. Absent without such a question.',
      },
      surveyStatus: { type: 'text', description: 'State of the survey, e.g. Sent, Started, Finished, Expired.' },
      surveyType: { type: 'text', description: 'Web or Voice.' },
      userId: { type: 'text', description: 'Agent whom it is about.' },
      oSurveyTotalScore: { type: 'bigint', description: 'Score in percent over all questions.' },
    },
  },
  resolutions: {
    parent: 'conversations',
    property: 'resolutions',
    cardinality: 'many',
    position: ['_index'],
    description: 'One row per judgement whether the matter was settled, so that no further contact followed.',
    fields: {
      eventTime: { type: 'timestamptz', description: 'When it was judged.' },
      queueId: { type: 'text', description: 'Last queue that handled the conversation.' },
      userId: { type: 'text', description: 'Last agent who handled the conversation.' },
      nNextContactAvoided: {
        type: 'bigint',
        description: '1 where no further contact about the matter followed, else 0.',
      },
    },
  },
} as const satisfies Record<string, Entity>

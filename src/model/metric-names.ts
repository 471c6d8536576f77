/**
 * The names of metrics: what `genesys.session_metrics.name` can hold, what the value means, who carries it and how figures are
 * made of it. Pure data; the data dictionary is made from it. Which participant carries a metric, and when, follows genuine records where
 * there are any (marked `genuine`), else the definitions that Genesys publishes.
 */

/** One metric of a conversation. */
export interface MetricName {
  readonly name: string
  readonly unit: 'ms' | 'count'
  /** Who carries it: values of participants.purpose, or `aggregates` where only aggregate queries have it. */
  readonly carrier: string
  /** When it is emitted (session_metrics.emit_date), and how many rows a session can have. */
  readonly emitted: string
  /** How a figure is made of its rows: their sum, their number, or both, as for an average. */
  readonly figure: 'sum' | 'count' | 'sum and count' | 'none'
  readonly meaning: string
  /** Whether genuine records show carrier and time. */
  readonly genuine?: true
}

type Entry = readonly [
  name: string,
  carrier: string,
  emitted: string,
  figure: MetricName['figure'],
  meaning: string,
  genuine?: 'genuine',
]

const perInterval = 'end of each interval, one row each'
const agentEnd = "the agent's end, one row per session"

/** Names that end differently but mean the sum of the same intervals are next to each other. */
const entries: readonly Entry[] = [
  // The contact and its line
  ['nConnected', 'customer, outbound, external', 'connect', 'sum', 'The contact was connected.', 'genuine'],
  ['tConnected', 'customer, outbound, external', "the customer's end", 'sum and count', 'Connect to end of the customer.', 'genuine'],
  ['nConversations', 'aggregates', 'never in details', 'sum', 'Conversations that began. Count conversations instead.'],
  ['tConversationDuration', 'aggregates', 'never in details', 'sum and count', 'A predicate of the details query: conversation_end - conversation_start, after-call work included.'],
  ['tFirstConnect', 'customer', 'connect', 'sum and count', 'Start of an outbound contact to its first connect.'],
  ['tFirstDial', 'customer, outbound', 'dialing', 'sum and count', 'Start of an outbound contact to its first dialing.'],
  // Flows
  ['nFlow', 'ivr, botflow, workflow, voicesurveyflow', 'start of the flow', 'sum', 'Executions of a flow. In-queue flows have none: do not count rows of flows.', 'genuine'],
  ['tFlow', 'ivr, botflow, workflow, voicesurveyflow', 'end of the flow', 'sum and count', 'Run time of the flow; a little less than tIvr, which includes the setup.', 'genuine'],
  ['tFlowExit', 'ivr, botflow, workflow, voicesurveyflow', 'end of the flow', 'sum and count', 'tFlow again, where the flow handed the contact on.', 'genuine'],
  ['tFlowDisconnect', 'ivr, botflow, workflow, voicesurveyflow', 'end of the flow', 'sum and count', 'tFlow again, where the contact ended in the flow.'],
  ['tIvr', 'ivr', 'end of the menu', 'sum and count', 'Time in the menu: the length of the ivr segment.', 'genuine'],
  ['nFlowOutcome', 'ivr, botflow, workflow', 'when the outcome is decided, one row per outcome', 'sum', 'Outcomes that were decided.'],
  ['nFlowOutcomeFailed', 'ivr, botflow, workflow', 'when the outcome is decided', 'sum', 'Outcomes that failed; contained in nFlowOutcome.'],
  ['tFlowOutcome', 'ivr, botflow, workflow', 'when the outcome is decided', 'sum and count', 'Time that the flow took to reach an outcome.'],
  ['nFlowMilestone', 'ivr, botflow, workflow', 'when the milestone is passed', 'sum', 'Milestones that were passed.'],
  ['oFlowMilestone', 'ivr, botflow, workflow', 'when the milestone is passed', 'none', 'Observation of a milestone.'],
  ['nBotInteractions', 'botflow, ivr', 'end of the bot session', 'sum', 'Bot sessions that took part.'],
  // Queues
  ['nOffered', 'acd', 'when the interact segment of the queue begins, one per queue entry', 'sum', 'Offered to a queue. A blind transfer to a queue offers again.', 'genuine'],
  ['tAcd', 'acd', 'when it leaves the queue', 'sum and count', 'Wait in the queue, however it ended. Where it was answered equal to tAnswered of the agent. Also the source of tWait.', 'genuine'],
  ['tAbandon', 'acd', 'when the contact gives up or the system disconnects it', 'sum and count', 'Abandoned in the queue: the number of rows is the number of abandons. Web messaging has none, so offered is not answered + abandoned + flow-out there.'],
  ['tShortAbandon', 'acd', 'with tAbandon', 'sum and count', 'An abandon within the threshold for short abandons; contained in tAbandon.'],
  ['tFlowOut', 'acd', 'when a flow takes the contact out of the queue', 'sum and count', 'Left by a flow, e.g. to voicemail or a callback; sessions.flow_out_type says how.'],
  ['nOverSla', 'acd or agent: not proven', 'answer', 'sum', 'Answered, but later than the target that the queue had then. Service level = (answered - nOverSla) / (answered + abandoned …); the organization decides what is in the denominator.'],
  ['tWait', 'aggregates', 'never in details', 'sum and count', 'Equals tAcd in count, sum, minimum and maximum: use tAcd.'],
  ['oServiceLevel', 'aggregates', 'never in details', 'none', 'The service level with numerator and denominator, as the organization has configured it.'],
  ['oServiceTarget', 'aggregates', 'never in details', 'none', 'The target of the queue, a share from 0 to 1.'],
  // Agents: being reached
  ['tAlert', 'agent, user', 'end of the alert', 'sum and count', 'Ringing. Absent where the contact was answered automatically.', 'genuine'],
  ['tAnswered', 'agent', 'answer', 'sum and count', 'The wait in the queue until the first agent accepts: the number of rows is "answered", sum / number the average speed of answer. Once per queue entry; transfers to an agent have none.', 'genuine'],
  ['tNotResponding', 'agent', 'end of the alert', 'sum and count', 'An alert that the agent did not answer, whatever the disconnect_type of the alert.', 'genuine'],
  ['nError', 'any', 'when the error occurs', 'sum', 'Errors of the session, alerts without an answer among them.', 'genuine'],
  ['nStateTransitionError', 'agent, user', 'when the error occurs', 'sum', 'Transitions of the session that made no sense to Genesys.'],
  // Agents: working
  ['tTalk', 'agent, user', perInterval, 'sum', 'Talk or written exchange, split by every hold. Its rows are intervals, not contacts: never use their number.', 'genuine'],
  ['tTalkComplete', 'agent, user', agentEnd, 'sum and count', 'Sum of the session\'s tTalk. The number of rows is the number of sessions with talk, so averages are made from this one.', 'genuine'],
  ['tHeld', 'agent, user', perInterval, 'sum', 'Hold. On the phone the agent put the customer on hold; for written media the agent was busy with another contact, so do not mix the two.', 'genuine'],
  ['tHeldComplete', 'agent, user', agentEnd, 'sum and count', "Sum of the session's tHeld.", 'genuine'],
  ['tPark', 'agent', perInterval, 'sum', 'E-mail or message parked by the agent.'],
  ['tParkComplete', 'agent', agentEnd, 'sum and count', "Sum of the session's tPark."],
  ['tDialing', 'agent, user, customer, external, outbound', perInterval, 'sum and count', 'Dialing until answer. Part of tHandle for the agent.'],
  ['tContacting', 'agent, user, customer, external, outbound', perInterval, 'sum and count', 'Before dialing: the line of the agent is set up. Part of tHandle for the agent.'],
  ['tAcw', 'agent', 'end of the after-call work, up to some seconds before its segment ends', 'sum and count', 'After-call work. Need not equal the length of the wrapup segment. An agent who did not answer can have it, too.', 'genuine'],
  ['tHandle', 'agent, user', 'end of the after-call work (without any: the agent\'s end), the whole value at that time', 'sum and count', 'tTalkComplete + tHeldComplete + tAcw, outbound + tDialing + tContacting; for callbacks the same, without tActiveCallback. The number of rows is "handled": every agent who was involved, one who only has tAcw included. Average handle time = sum / number.', 'genuine'],
  ['tActiveCallback', 'agent', perInterval, 'sum', 'Callbacks: calls placed within the callback session. In addition to its tTalk, and no part of tHandle.'],
  ['tActiveCallbackComplete', 'agent', agentEnd, 'sum and count', "Sum of the session's tActiveCallback."],
  ['nCallbackScheduled', 'customer, agent', 'when it is scheduled', 'sum', 'Callbacks that were scheduled.'],
  ['nCallbackAttempts', 'agent', 'when the agent takes the callback', 'sum', 'Attempts to call back.'],
  ['nCallbackOverSla', 'agent', 'when the agent takes the callback', 'sum', 'Callbacks that were taken later than the target of the queue.'],
  // Agents: handing over
  ['nTransferred', 'agent', 'transfer', 'sum', 'Transfers, on the session and the queue of the agent who transfers: nBlindTransferred + nConsultTransferred.', 'genuine'],
  ['nBlindTransferred', 'agent', 'transfer', 'sum', 'Transfers without speaking to the target first; contained in nTransferred.', 'genuine'],
  ['nConsultTransferred', 'agent', 'transfer', 'sum', 'Transfers after a consultation; contained in nTransferred.', 'genuine'],
  ['nConsult', 'agent', 'when the consultation begins', 'sum', 'Consultations, whether a transfer follows or not.'],
  ['nTakeover', 'agent', 'takeover', 'sum', 'A supervisor took the contact over.'],
  // Supervisors and what is recorded
  ['tMonitoring', 'user, agent', perInterval, 'sum', 'A supervisor listened.'],
  ['tMonitoringComplete', 'user, agent', 'end of the monitoring', 'sum and count', "Sum of the session's tMonitoring."],
  ['tCoaching', 'user, agent', perInterval, 'sum', 'A supervisor coached the agent.'],
  ['tCoachingComplete', 'user, agent', 'end of the coaching', 'sum and count', "Sum of the session's tCoaching."],
  ['tBarging', 'user, agent', perInterval, 'sum and count', 'A supervisor barged in.'],
  ['tScreenMonitoring', 'user, agent', perInterval, 'sum and count', 'A supervisor watched the screen.'],
  ['tSnippetRecord', 'agent', 'end of the recording', 'sum and count', 'A part was recorded by hand.'],
  ['tVoicemail', 'voicemail, customer, agent', 'end of the message', 'sum and count', 'Voicemail being left.'],
  ['tTransmitting', 'fax, agent', 'end of the transmission', 'sum and count', 'A document was being sent.'],
  ['nCobrowseSessions', 'agent', 'start of the cobrowsing', 'sum', 'Cobrowsing sessions.'],
  ['tAgentVideoConnected', 'agent', 'end of the video', 'sum and count', 'The agent was connected by video.'],
  // Campaigns
  ['nOutbound', 'agent, outbound', 'dialing', 'sum', 'Outbound contacts.'],
  ['nOutboundAttempted', 'outbound', 'dialing', 'sum', 'Campaign calls that were dialed.'],
  ['nOutboundConnected', 'outbound', 'connect', 'sum', 'Campaign calls that reached somebody.'],
  ['nOutboundAbandoned', 'outbound', 'end', 'sum', 'Campaign calls that reached somebody for whom no agent was free in time.'],
  // Written media
  ['tFirstEngagement', 'agent', 'first message of the agent', 'sum and count', 'Time to the first engagement.'],
  ['tFirstResponse', 'agent', 'first reply of the agent', 'sum and count', 'Time to the first reply.'],
  ['tAgentResponseTime', 'agent', 'each reply of the agent', 'sum and count', 'Time to a reply of the agent; nights and days in between included.', 'genuine'],
  ['tAverageAgentResponseTime', 'agent', agentEnd, 'sum and count', 'Mean of tAgentResponseTime of the session. Use sum / number of tAgentResponseTime for groups.'],
  ['tUserResponseTime', 'agent, customer', 'each reply of the customer', 'sum and count', 'Time to a reply of the customer.'],
  ['tAverageCustomerResponseTime', 'customer, agent', 'end', 'sum and count', 'Mean of tUserResponseTime of the session.'],
  ['oMessageTurn', 'agent', agentEnd, 'sum and count', 'Turns of the exchange.', 'genuine'],
  ['oMessageCount', 'customer, agent', 'end', 'sum', 'Messages.'],
  ['oMessageSegmentCount', 'customer, agent', 'end', 'sum', 'Parts that messages were sent in.'],
  ['oMediaCount', 'customer, agent', 'end', 'sum', 'Images, files and the like.'],
  ['oExternalMediaCount', 'customer', 'end', 'sum', 'Those that the customer sent; contained in oMediaCount.'],
  ['oAudioMessageCount', 'customer, agent', 'end', 'sum', 'Voice messages.'],
  ['oExternalAudioMessageCount', 'customer', 'end', 'sum', 'Those that the customer sent; contained in oAudioMessageCount.'],
  ['oSkillExpressionApplications', 'acd', 'when it leaves the queue', 'sum', 'Skill expressions that routing applied.'],
] // prettier-ignore

/** Every metric name that is known, by groups of what it is about. */
export const metricNames: readonly MetricName[] = entries.map(([name, carrier, emitted, figure, meaning, genuine]) => ({
  name,
  unit: name.startsWith('t') ? 'ms' : 'count',
  carrier,
  emitted,
  figure,
  meaning,
  ...(genuine && { genuine: true }),
}))

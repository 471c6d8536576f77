import { addLeg, addSpan, state, type ConversationBuilder } from './conversation-builder.ts'
import { iso, type Json, type Leg } from './conversation-plan.ts'

/** Sometimes a conversation is shown, seen or shared besides: screen share, co-browse and video sessions, all rare. */
function shareScreens(builder: ConversationBuilder): void {
  const { random, plan } = builder
  const agent = plan.participants.find(({ fields }) => fields['purpose'] === 'agent')
  const customer = plan.participants.find(({ fields }) => fields['purpose'] === 'customer')
  const base = agent?.legs[0]?.spans.find((span) => span.type === 'interact' && span.end !== Infinity)
  if (!agent || !customer || !base || !random.chance(0.025)) return
  const kind = random.pick(['screenshare', 'cobrowse', 'video'] as const)
  const room = random.uuid()
  const start = base.start + Math.floor((base.end - base.start) / 4)
  for (const [index, participant] of [customer, agent].entries()) {
    const session: Json = {
      screenshare: {
        screenShareAddressSelf: `share-${index}@example.com`,
        screenShareRoomId: room,
        sharingScreen: index === 0,
      },
      cobrowse: { cobrowseRole: index === 0 ? 'sharer' : 'viewer', cobrowseRoomId: room },
      video: { videoAddressSelf: `video-${index}@example.com`, videoRoomId: room, sharingScreen: false },
    }[kind]
    const leg = addLeg(builder, participant, {
      direction: 'inbound',
      mediaType: kind,
      provider: 'PureCloud Video',
      ...session,
    })
    addSpan(leg, kind === 'video' ? 'interact' : 'sharing', start, base.end, {
      disconnectType: 'peer',
      ...(kind === 'video' && { videoMuted: random.chance(0.3), audioMuted: false }),
    })
    if (kind === 'cobrowse' && index === 1) state(leg, 'nCobrowseSessions', 1, start)
  }
}

/** The rare fields of a session: each is used, none often. */
function rareSessionFields(builder: ConversationBuilder, leg: Leg): void {
  const { random, org } = builder
  const id = (): string => random.uuid()
  const skills = (): string[] => random.sample(org.skills, 2).map((skill) => skill.id)
  const rare: readonly (() => Json)[] = [
    () => ({ activeSkillIds: skills(), removedSkillIds: skills().slice(0, 1), routingRing: random.int(1, 5), agentBullseyeRing: random.int(1, 5), routingRuleType: 'Bullseye' }),
    () => ({ agentAssistantId: id() }),
    () => ({ cleared: true, deliveryPushed: true }),
    () => ({ eligibleAgentCounts: [random.int(1, 40), random.int(1, 40)], waitingInteractionCounts: [random.int(0, 9), random.int(0, 9)], routingRule: 'Predictive routing', routingRuleType: 'Predictive', selectedAgentRank: random.int(1, 9), proposedAgents: [{ agentRank: 1, proposedAgentId: random.pick(org.users).id }, { agentRank: 2, proposedAgentId: random.pick(org.users).id }] }),
    () => ({ agentGroups: [{ agentGroupId: random.pick(org.groups).id, agentGroupType: 'Group' }], routingRuleType: 'Conditional', routingRule: '1' }),
    () => ({ journeyActionId: id(), journeyActionMapId: id(), journeyActionMapVersion: random.int(1, 12), journeyCustomerId: id(), journeyCustomerIdType: 'cookie', journeyCustomerSessionId: id(), journeyCustomerSessionIdType: 'web' }),
    () => ({ skillExpressionId: id() }),
    () => ({ snippetRecording: true }),
    () => ({ assignerId: random.pick(org.users).id }),
  ] // prettier-ignore
  Object.assign(leg.session, random.pick(rare)())
  const [span] = leg.spans
  if (leg.purpose === 'agent' && leg.session['snippetRecording'] === true && span && span.end !== Infinity)
    state(leg, 'tSnippetRecord', Math.floor((span.end - span.start) / 2), span.end)
}

/** The rare fields of a segment. */
function rareSegmentFields(builder: ConversationBuilder, leg: Leg): void {
  const { random, org } = builder
  const span = leg.spans.at(-1)
  if (!span) return
  if (random.chance(0.5)) {
    span.fields['scoredAgents'] = org.users
      .slice(0, 2)
      .map((user) => ({ agentScore: random.int(0, 100), scoredAgentId: user.id }))
  } else {
    span.fields['properties'] = [{ property: 'tier', propertyType: 'string', value: random.pick(['gold', 'silver']) }]
  }
  if (random.chance(0.2)) span.fields['requestedRoutingUserIds'] = [random.pick(org.users).id]
}

/** Sprinkles what a scenario does not bring by itself, so that every field of the model is used in a large enough organization. */
export function addRareFields(builder: ConversationBuilder): void {
  const { random, plan, org } = builder
  shareScreens(builder)
  for (const { legs } of plan.participants) {
    for (const leg of legs) {
      if (random.chance(0.02)) rareSessionFields(builder, leg)
      if (random.chance(0.01)) rareSegmentFields(builder, leg)
    }
  }
  const { head } = plan
  if (random.chance(0.01)) head['externalTag'] = `crm-${random.int(1_000, 9_999)}`
  if (random.chance(0.005)) head['accessAttributes'] = ['restricted']
  if (random.chance(0.005)) head['associatedConversationId'] = random.uuid()
  if (random.chance(0.005)) head['consultationConversationIds'] = [random.uuid(), random.uuid()]
  if (random.chance(0.005)) head['originatingSocialMediaPublic'] = random.chance(0.8)
  if (random.chance(0.003)) head['knowledgeBaseIds'] = [org.groups[1]?.id]
}

/** Evaluations, surveys and resolutions: hours to weeks after the conversation, each first announced and later finished. */
export function addFollowUps(builder: ConversationBuilder, end: number): void {
  const { random, plan, org } = builder
  const agent = plan.participants.find(({ fields }) => fields['purpose'] === 'agent')
  if (!agent) return
  const [evaluated, surveyed, resolved] = [random.chance(0.05), random.chance(0.06), random.chance(0.05)]
  if (!evaluated && !surveyed && !resolved) return
  const queueId = plan.participants
    .flatMap(({ legs }) => legs.flatMap(({ spans }) => spans.map(({ fields }) => fields['queueId'])))
    .find((id) => id !== undefined)
  if (queueId === undefined) return
  const who = { queueId, userId: agent.fields['userId'] }
  const hour = 3_600_000

  if (evaluated) {
    const form = random.pick(org.evaluationForms)
    const assigned = end + random.int(1, 48) * hour
    const finished = assigned + random.int(1, 200) * hour
    const base: Json = {
      assigneeApplicable: true,
      assigneeId: who.userId,
      ...(random.chance(0.1) && { calibrationId: random.uuid() }),
      contextId: form.contextId,
      deleted: false,
      evaluationId: random.uuid(),
      evaluatorId: random.pick(org.users.slice(50, 54)).id,
      formId: form.id,
      formName: form.name,
      systemSubmitted: random.chance(0.1),
      ...who,
    }
    const id = base['evaluationId'] as string
    const pending = { ...base, evaluationStatus: 'Pending', eventTime: iso(assigned), released: false, rescored: false }
    const score = random.int(40, 100)
    const scores = { oTotalCriticalScore: Math.min(100, score + random.int(-10, 10)), oTotalScore: score }
    const done = {
      ...base,
      evaluationStatus: 'Finished',
      eventTime: iso(finished),
      released: true,
      rescored: random.chance(0.1),
      ...scores,
    }
    plan.lateRecords.push(
      { at: assigned, list: 'evaluations', id, value: pending },
      { at: finished, list: 'evaluations', id, value: done },
    )
  }
  if (surveyed) {
    const form = random.pick(org.surveyForms)
    const sent = end + random.int(1, 30) * 60_000
    const answered = sent + random.int(1, 70) * hour
    const base: Json = {
      surveyFormContextId: form.contextId,
      surveyFormId: form.id,
      surveyFormName: form.name,
      surveyId: random.uuid(),
      surveyType: random.chance(0.8) ? 'Web' : 'Voice',
      ...who,
    }
    const id = base['surveyId'] as string
    plan.lateRecords.push({
      at: sent,
      list: 'surveys',
      id,
      value: { ...base, eventTime: iso(sent), surveyStatus: 'Sent' },
    })
    if (random.chance(0.6)) {
      const done = {
        ...base,
        eventTime: iso(answered),
        surveyCompletedDate: iso(answered),
        surveyPartialResponse: random.chance(0.2),
        surveyPromoterScore: random.int(0, 10),
        surveyStatus: 'Finished',
        oSurveyTotalScore: random.int(0, 100),
      }
      plan.lateRecords.push({ at: answered, list: 'surveys', id, value: done })
    }
  }
  if (resolved) {
    const at = end + random.int(24, 168) * hour
    const value = { eventTime: iso(at), ...who, nNextContactAvoided: random.int(0, 1) }
    plan.lateRecords.push({ at, list: 'resolutions', id: random.uuid(), value })
  }
  plan.lateRecords.sort((a, b) => a.at - b.at)
}

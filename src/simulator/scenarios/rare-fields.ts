import { addLeg, addSpan, state, type ConversationBuilder } from './conversation-builder.ts'
import type { Json, Leg } from '../conversation-plan.ts'

/** Adds screen share, co-browse and video sessions beside the conversation, all rare. */
function addSharing(builder: ConversationBuilder): void {
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

/** Adds fields that few sessions have. */
function addRareSessionFields(builder: ConversationBuilder, leg: Leg): void {
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

/** Adds fields that few segments have. */
function addRareSegmentFields(builder: ConversationBuilder, leg: Leg): void {
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

/** Adds what the scenarios do not bring by themselves, so that a large enough organization uses every field of the model. */
export function addRareFields(builder: ConversationBuilder): void {
  const { random, plan, org } = builder
  addSharing(builder)
  for (const { legs } of plan.participants) {
    for (const leg of legs) {
      if (random.chance(0.02)) addRareSessionFields(builder, leg)
      if (random.chance(0.01)) addRareSegmentFields(builder, leg)
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

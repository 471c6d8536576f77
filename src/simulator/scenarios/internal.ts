import { finishVoice } from './agent-work.ts'
import { addAgent, addLeg, addSpan, joinDivision, type ConversationBuilder } from './conversation-builder.ts'
import type { User } from '../org.ts'
import type { Json } from '../conversation-plan.ts'

function twoUsers(builder: ConversationBuilder): [User, User] {
  const [first, second] = builder.random.sample(builder.org.users.slice(0, 54), 2)
  joinDivision(builder, first?.divisionId ?? '', builder.plan.start)
  return [first as User, second as User]
}

/** A call between two people of the organization. */
export function internalCall(builder: ConversationBuilder): void {
  const { random, plan, org } = builder
  plan.head['originatingDirection'] = 'outbound'
  const [caller, callee] = twoUsers(builder)
  const session = (other: User, direction: string): Json => ({
    ani: `sip:${caller.id}@localhost`,
    direction,
    dnis: `sip:${callee.id}@localhost`,
    edgeId: random.pick(org.edges),
    mediaType: 'voice',
    peerId: random.uuid(),
    provider: 'Edge',
    remote: other.name,
  })
  const answered = plan.start + random.int(2_000, 15_000)
  const end = answered + Math.max(2_000, random.skewed(60_000, 0.8))
  const callerLeg = addLeg(builder, addAgent(builder, caller, 'user'), session(callee, 'outbound'))
  const calleeLeg = addLeg(builder, addAgent(builder, callee, 'user'), session(caller, 'inbound'))
  addSpan(callerLeg, 'dialing', plan.start, answered)
  addSpan(callerLeg, 'interact', answered, end, { disconnectType: 'client' })
  addSpan(calleeLeg, 'alert', plan.start + 300, answered)
  addSpan(calleeLeg, 'interact', answered, end, { disconnectType: 'peer' })
  finishVoice(builder, callerLeg, end)
  finishVoice(builder, calleeLeg, end)
}

/** Messages between two people of the organization. */
export function internalMessage(builder: ConversationBuilder): void {
  const { random, plan } = builder
  plan.head['originatingDirection'] = 'outbound'
  const end = plan.start + random.int(20_000, 900_000)
  for (const [index, user] of twoUsers(builder).entries()) {
    const leg = addLeg(builder, addAgent(builder, user, 'user'), {
      direction: index === 0 ? 'outbound' : 'inbound',
      mediaType: 'internalmessage',
      provider: 'PureCloud Messaging',
      ...(index === 0 && { assignerId: user.id }),
    })
    addSpan(leg, 'interact', plan.start + index * 900, end, { disconnectType: index === 0 ? 'client' : 'peer' })
  }
}

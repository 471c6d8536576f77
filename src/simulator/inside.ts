import { finishVoice } from './agent-work.ts'
import { addAgent, addLeg, addSpan, joinDivision } from './pen.ts'
import type { Pen } from './pen.ts'
import type { User } from './org.ts'
import type { Json } from './story.ts'

function twoUsers(pen: Pen): [User, User] {
  const [first, second] = pen.random.sample(pen.org.users.slice(0, 54), 2)
  joinDivision(pen, first?.divisionId ?? '', pen.story.start)
  return [first as User, second as User]
}

/** A call between two people of the organization. */
export function internalCall(pen: Pen): void {
  const { random, story, org } = pen
  story.head['originatingDirection'] = 'outbound'
  const [caller, callee] = twoUsers(pen)
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
  const answered = story.start + random.int(2_000, 15_000)
  const end = answered + Math.max(2_000, random.skewed(60_000, 0.8))
  const callerLeg = addLeg(pen, addAgent(pen, caller, 'user'), session(callee, 'outbound'))
  const calleeLeg = addLeg(pen, addAgent(pen, callee, 'user'), session(caller, 'inbound'))
  addSpan(callerLeg, 'dialing', story.start, answered)
  addSpan(callerLeg, 'interact', answered, end, { disconnectType: 'client' })
  addSpan(calleeLeg, 'alert', story.start + 300, answered)
  addSpan(calleeLeg, 'interact', answered, end, { disconnectType: 'peer' })
  finishVoice(pen, callerLeg, end)
  finishVoice(pen, calleeLeg, end)
}

/** Written words between two people of the organization. */
export function internalMessage(pen: Pen): void {
  const { random, story } = pen
  story.head['originatingDirection'] = 'outbound'
  const end = story.start + random.int(20_000, 900_000)
  for (const [index, user] of twoUsers(pen).entries()) {
    const leg = addLeg(pen, addAgent(pen, user, 'user'), {
      direction: index === 0 ? 'outbound' : 'inbound',
      mediaType: 'internalmessage',
      provider: 'PureCloud Messaging',
      ...(index === 0 && { assignerId: user.id }),
    })
    addSpan(leg, 'interact', story.start + index * 900, end, { disconnectType: index === 0 ? 'client' : 'peer' })
  }
}

import { FIRST_NAMES, LAST_NAMES, plainName, type Flow, type Org, type Queue, type User } from '../org.ts'
import type { Random } from '../random.ts'
import { iso, type Json, type Leg, type Participant, type Span, type ConversationPlan } from '../conversation-plan.ts'

export type QueueMedia = keyof Queue['serviceLevelMs']

/** An invented customer. */
interface Contact {
  readonly name: string
  readonly phone: string
  readonly email: string
  readonly id: string
  readonly organizationId: string
}

/** How customers of an organization behave: what differs between organizations. */
export interface OrgBehavior {
  /** Share of message and e-mail threads that are reopened, mostly more than once, over days and weeks; 0 to 1. */
  readonly reopenedShare: number
  /** The factor by which a contact that enters a queue at an instant waits longer than usual. */
  readonly strain: (queue: Queue, at: number) => number
}

/** What a scenario builds a conversation with: its plan, the organization, and the randomness of this conversation. */
export interface ConversationBuilder {
  readonly plan: ConversationPlan
  readonly org: Org
  readonly random: Random
  readonly contact: Contact
  readonly behavior: OrgBehavior
  /** Whether after-call work is visible while it lasts, as an open segment, or appears when it has ended. */
  readonly isAcwOpen: boolean
}

/** Starts the plan of a conversation at an instant; id, contact and everything else come from the random source. */
export function createBuilder(org: Org, random: Random, start: number, behavior: OrgBehavior): ConversationBuilder {
  const firstName = random.pick(FIRST_NAMES)
  const lastName = random.pick(LAST_NAMES)
  const name = `${firstName} ${lastName}`
  // North American numbers 555-0100 to 555-0199 are reserved for fiction.
  const phone = `+1${random.pick(['212', '312', '415', '503', '617', '702'])}55501${String(random.int(0, 99)).padStart(2, '0')}`
  const email = `${plainName(firstName)}.${plainName(lastName)}${random.int(1, 999)}@example.com`
  return {
    org,
    random,
    behavior,
    isAcwOpen: random.chance(0.5),
    contact: { name, phone, email, id: random.uuid(), organizationId: random.uuid() },
    plan: {
      id: random.uuid(),
      start,
      head: {},
      divisions: [{ id: org.divisions[0]?.id ?? '', at: start }],
      participants: [],
      pauses: [],
      lateRecords: [],
      corrections: [],
    },
  }
}

/** Adds a participant without sessions. */
export function addParticipant(builder: ConversationBuilder, purpose: string, fields: Json = {}): Participant {
  const participant: Participant = { fields: { participantId: builder.random.uuid(), purpose, ...fields }, legs: [] }
  builder.plan.participants.push(participant)
  return participant
}

/** Adds the customer as a participant. */
export function addContact(builder: ConversationBuilder, purpose = 'customer'): Participant {
  const { contact, random } = builder
  return addParticipant(builder, purpose, {
    participantName: contact.name,
    ...(random.chance(0.7) && { externalContactId: contact.id }),
    ...(random.chance(0.1) && { externalOrganizationId: contact.organizationId }),
  })
}

/** Adds an agent as a participant. */
export function addAgent(builder: ConversationBuilder, user: User, purpose = 'agent'): Participant {
  const { random } = builder
  return addParticipant(builder, purpose, {
    ...(random.chance(0.5) && { participantName: user.name }),
    ...(random.chance(0.6) && { teamId: user.teamId }),
    ...(random.chance(0.05) && { screenRecording: random.chance(0.8) }),
    ...(random.chance(0.01) && { flaggedReason: 'general' }),
    userId: user.id,
  })
}

/** Adds a session to a participant. */
export function addLeg(
  builder: ConversationBuilder,
  participant: Participant,
  session: Json,
  more: { flow?: Json; queue?: NonNullable<Leg['queue']> } = {},
): Leg {
  const leg: Leg = {
    purpose: participant.fields['purpose'] as string,
    session: { sessionId: builder.random.uuid(), ...session },
    spans: [],
    stated: [],
    stats: [],
    flow: more.flow,
    queue: more.queue,
    waitedMs: undefined,
    notResponding: false,
    partOfCallback: false,
  }
  participant.legs.push(leg)
  return leg
}

/** Adds a segment to a session; the end is Infinity where it never ends by itself. */
export function addSpan(leg: Leg, type: string, start: number, end: number, fields: Json = {}): Span {
  const span: Span = { type, start, end, fields }
  leg.spans.push(span)
  return span
}

/** Sets a metric of a session at an instant. */
export function state(leg: Leg, name: string, value: number, at: number): void {
  leg.stated.push({ name, value, at })
}

/** Adds a division to the conversation, as every queue, flow and user of that division does. */
export function joinDivision(builder: ConversationBuilder, divisionId: string, at: number): void {
  builder.plan.divisions.push({ id: divisionId, at })
}

/** The fields that every voice session has. */
export function voiceSession(
  builder: ConversationBuilder,
  direction: 'inbound' | 'outbound',
  session: Json = {},
): Json {
  const { random, org, contact } = builder
  return {
    ani: direction === 'inbound' ? `tel:${contact.phone}` : 'tel:+18005550100',
    direction,
    dnis: direction === 'inbound' ? 'tel:+18005550100' : `tel:${contact.phone}`,
    edgeId: random.pick(org.edges),
    mediaType: 'voice',
    protocolCallId: random.uuid(),
    provider: 'Edge',
    remote: contact.name,
    remoteNameDisplayable: contact.name,
    sessionDnis: direction === 'inbound' ? 'tel:+18005550100' : `tel:${contact.phone}`,
    ...session,
  }
}

/** Adds audio statistics at the end of a session, and sometimes before. */
export function addStats(builder: ConversationBuilder, leg: Leg, at: number): void {
  const { random } = builder
  // Some legs report more than one stream.
  if (leg.stats.length === 0 && random.chance(0.45)) addStats(builder, leg, at - random.int(50, 1_000))
  const mos = 4.9 - random.next() * (random.chance(0.05) ? 2.4 : 0.5)
  leg.stats.push({
    codecs: [random.chance(0.6) ? 'audio/opus' : 'audio/PCMA'],
    ...(random.chance(0.3) && { discardedPackets: random.int(1, 40) }),
    ...(random.chance(0.03) && { duplicatePackets: random.int(1, 9) }),
    eventTime: iso(at),
    ...(random.chance(0.03) && { invalidPackets: random.int(1, 9) }),
    maxLatencyMs: random.int(10, 180),
    minMos: mos,
    minRFactor: 20 + mos * 15,
    ...(random.chance(0.04) && { overrunPackets: random.int(1, 30) }),
    receivedPackets: random.int(200, 30_000),
    ...(random.chance(0.06) && { underrunPackets: random.int(1, 30) }),
  })
}

/** Picks the queue that a conversation enters; a few queues get most of the work. */
export function pickQueue(builder: ConversationBuilder): Queue {
  const { queues } = builder.org
  return queues[Math.min(Math.floor(builder.random.next() ** 2 * queues.length), queues.length - 1)] as Queue
}

/** Picks an agent of a queue. */
export function pickAgent(builder: ConversationBuilder, queue: Queue, not?: User): User {
  const { random } = builder
  let user = random.pick(queue.users)
  while (user.id === not?.id) user = random.pick(queue.users)
  return user
}

/** Picks one of the organization's flows of a type. */
export function flowOf(builder: ConversationBuilder, type: string): Flow {
  return builder.random.pick(builder.org.flows.filter((flow) => flow.type === type))
}

/** The fields of a session that describe the run of a flow. */
export function flowRun(
  builder: ConversationBuilder,
  flow: Flow,
  run: { entry: string; entryType: string; exitReason: string; queue?: Queue | undefined; from: number; to: number },
): Json {
  const { random, org } = builder
  const outcomes = org.outcomes
    .filter(() => random.chance(0.25))
    .map((outcome) => {
      const value = random.chance(0.8) ? 'SUCCESS' : 'FAILURE'
      return {
        flowOutcome: `${outcome.id}:${value}`,
        ...(value === 'SUCCESS' && { flowOutcomeEndTimestamp: iso(run.to) }),
        flowOutcomeId: outcome.id,
        flowOutcomeStartTimestamp: iso(run.from),
        flowOutcomeValue: value,
      }
    })
  return {
    endingLanguage: random.chance(0.9) ? 'en-us' : 'de-de',
    entryReason: run.entry,
    entryType: run.entryType,
    exitReason: run.exitReason,
    flowId: flow.id,
    flowName: flow.name,
    flowType: flow.type,
    flowVersion: flow.version,
    ...(random.chance(0.02) && { issuedCallback: false }),
    ...(run.exitReason === 'DISCONNECT' &&
      random.chance(0.2) && { recognitionFailureReason: random.pick(['NOINPUT', 'NOMATCH']) }),
    startingLanguage: 'en-us',
    ...(run.queue && {
      transferTargetAddress: run.queue.id,
      transferTargetName: run.queue.name,
      transferType: 'ACD',
    }),
    ...(outcomes.length > 0 && { outcomes }),
  }
}

/**
 * The in-queue flow that runs while a contact waits. It is listed on the session of the queue, without exit fields and
 * without metrics of its own, even after the end.
 */
export function inQueueFlow(builder: ConversationBuilder, media: QueueMedia): Json | undefined {
  const type = { voice: 'INQUEUECALL', message: 'INQUEUESHORTMESSAGE' }[media as string]
  if (type === undefined || !builder.random.chance(0.4)) return undefined
  const flow = flowOf(builder, type)
  return { flowId: flow.id, flowName: flow.name, flowType: flow.type, flowVersion: flow.version }
}

/** The fields of a segment that describe the requested routing. */
export function routing(builder: ConversationBuilder, queue: Queue): Json {
  const { random, org } = builder
  return {
    queueId: queue.id,
    ...(random.chance(0.2) && { requestedLanguageId: random.pick(org.languages).id }),
    ...(random.chance(0.25) && {
      requestedRoutingSkillIds: random.sample(org.skills, random.int(1, 2)).map(({ id }) => id),
    }),
  }
}

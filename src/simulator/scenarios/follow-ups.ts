import type { ConversationBuilder } from './conversation-builder.ts'
import { iso, type ConversationPlan, type Json, type Participant } from '../conversation-plan.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000

/** The queue and the agent that a follow-up is about. */
export interface FollowUpSubject {
  readonly queueId: unknown
  readonly userId: unknown
}

/** The longest times that follow-ups take. */
interface FollowUpTimes {
  /** From the end of the conversation to the assignment of an evaluation. */
  readonly assignedHours: number
  /** From there to its end. */
  readonly evaluatedHours: number
  /** From the sending of a survey to its answer. */
  readonly answeredHours: number
}

const USUAL_TIMES: FollowUpTimes = { assignedHours: 48, evaluatedHours: 200, answeredHours: 70 }

type Parts = Pick<ConversationBuilder, 'random' | 'plan' | 'org'>

/**
 * Adds evaluations, surveys and resolutions: hours to weeks after the conversation, each first announced and later finished.
 * @param end when the conversation ended, milliseconds since 1970
 */
export function addFollowUps(builder: ConversationBuilder, end: number): void {
  const { random, plan } = builder
  const agent = agentOf(plan)
  if (!agent) return
  const [evaluated, surveyed, resolved] = [random.chance(0.05), random.chance(0.06), random.chance(0.05)]
  if (!evaluated && !surveyed && !resolved) return
  const subject = followUpSubject(plan)
  if (!subject) return
  if (evaluated) addEvaluation(builder, end, subject)
  if (surveyed) addSurvey(builder, end, subject)
  if (resolved) addResolution(builder, end, subject)
  plan.lateRecords.sort((a, b) => a.at - b.at)
}

function agentOf(plan: ConversationPlan): Participant | undefined {
  return plan.participants.find(({ fields }) => fields['purpose'] === 'agent')
}

/** What the follow-ups of a conversation are about; undefined where it had no agent or no queue. */
export function followUpSubject(plan: ConversationPlan): FollowUpSubject | undefined {
  const agent = agentOf(plan)
  const queueId = plan.participants
    .flatMap(({ legs }) => legs.flatMap(({ spans }) => spans.map(({ fields }) => fields['queueId'])))
    .find((id) => id !== undefined)
  return agent && queueId !== undefined ? { queueId, userId: agent.fields['userId'] } : undefined
}

/** Adds an evaluation: assigned first, finished later. */
export function addEvaluation(
  { random, plan, org }: Parts,
  end: number,
  subject: FollowUpSubject,
  { assignedHours, evaluatedHours }: FollowUpTimes = USUAL_TIMES,
): void {
  const form = random.pick(org.evaluationForms)
  const assigned = end + random.int(1, assignedHours) * HOUR_MS
  const finished = assigned + random.int(1, evaluatedHours) * HOUR_MS
  const base: Json = {
    assigneeApplicable: true,
    assigneeId: subject.userId,
    ...(random.chance(0.1) && { calibrationId: random.uuid() }),
    contextId: form.contextId,
    deleted: false,
    evaluationId: random.uuid(),
    evaluatorId: random.pick(org.users.slice(50, 54)).id,
    formId: form.id,
    formName: form.name,
    systemSubmitted: random.chance(0.1),
    ...subject,
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

/** Adds a survey: sent first, and mostly answered later. */
export function addSurvey(
  { random, plan, org }: Parts,
  end: number,
  subject: FollowUpSubject,
  { answeredHours }: FollowUpTimes = USUAL_TIMES,
): void {
  const form = random.pick(org.surveyForms)
  const sent = end + random.int(1, 30) * MINUTE_MS
  const answered = sent + random.int(1, answeredHours) * HOUR_MS
  const base: Json = {
    surveyFormContextId: form.contextId,
    surveyFormId: form.id,
    surveyFormName: form.name,
    surveyId: random.uuid(),
    surveyType: random.chance(0.8) ? 'Web' : 'Voice',
    ...subject,
  }
  const id = base['surveyId'] as string
  plan.lateRecords.push({
    at: sent,
    list: 'surveys',
    id,
    value: { ...base, eventTime: iso(sent), surveyStatus: 'Sent' },
  })
  if (!random.chance(0.6)) return
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

function addResolution({ random, plan }: Parts, end: number, subject: FollowUpSubject): void {
  const at = end + random.int(24, 168) * HOUR_MS
  const value = { eventTime: iso(at), ...subject, nNextContactAvoided: random.int(0, 1) }
  plan.lateRecords.push({ at, list: 'resolutions', id: random.uuid(), value })
}

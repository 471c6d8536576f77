/** The expected rows of the views that show what the conversations contain, event by event, from the text of the contract. */
import { counted, endOf, queueAt, seconds, startOf } from './definitions.ts'
import type { Row } from './facts.ts'
import { nameOf, type Names } from './names.ts'
import { flag, instant, text, texts, whole, type Conversation, type Session } from './read-json.ts'

const MICROS = 1_000_000

export function metricEventRows(c: Conversation, names: Names): Row[] {
  return c.sessions.flatMap((session) =>
    session.metrics
      .filter(({ value }) => value !== null)
      .map(({ name, value, emitted }) => {
        const { participant, raw } = session
        const [team, campaign] = [text(participant.raw['teamId']), text(raw['outboundCampaignId'])]
        const queueId = queueAt(session, emitted)
        return {
          emit_date: emitted,
          name,
          value,
          session_id: text(raw['sessionId']),
          _session_index: BigInt(session.index),
          queue_id: queueId,
          queue_name: nameOf(names.queues, queueId),
          user_id: participant.userId,
          user_name: nameOf(names.users, participant.userId),
          team_id: team,
          team_name: nameOf(names.teams, team),
          campaign_id: campaign,
          campaign_name: nameOf(names.campaigns, campaign),
          media_type: text(raw['mediaType']),
          message_type: text(raw['messageType']),
          direction: text(raw['direction']),
          originating_direction: text(c.raw['originatingDirection']),
          purpose: participant.purpose,
          division_ids: texts(c.raw['divisionIds']),
        }
      }),
  )
}

function length(from: number | null, to: number | null): number | null {
  return from === null || to === null ? null : (to - from) / MICROS
}

export function wrapUpRows(c: Conversation, names: Names): Row[] {
  return c.sessions.flatMap(({ index, raw, participant, segments }) =>
    segments
      .filter(({ type }) => type === 'wrapup')
      .map((segment) => {
        const code = text(segment.raw['wrapUpCode'])
        return {
          _index: BigInt(segment.index),
          _session_index: BigInt(index),
          user_id: participant.userId,
          user_name: nameOf(names.users, participant.userId),
          queue_id: segment.queueId,
          queue_name: nameOf(names.queues, segment.queueId),
          media_type: text(raw['mediaType']),
          direction: text(raw['direction']),
          wrap_up_code_id: code,
          wrap_up_code_name: nameOf(names.wrap_up_codes, code),
          started_at: segment.start,
          ended_at: segment.end,
          duration_seconds: length(segment.start, segment.end),
          wrap_up_tags: texts(segment.raw['wrapUpTags']),
          wrap_up_note: text(segment.raw['wrapUpNote']),
        }
      }),
  )
}

/** The present name of a flow or form, else the one that the record has, else the id. */
function nameThen(list: ReadonlyMap<string, string>, id: string | null, then: unknown): string | null {
  return (id === null ? undefined : list.get(id)) ?? text(then) ?? id
}

export function flowRows(c: Conversation, names: Names): Row[] {
  return c.sessions.flatMap((session) => {
    if (!session.flow) return []
    const { raw, index } = session.flow
    const flowId = text(raw['flowId'])
    return [
      {
        _index: BigInt(index),
        _session_index: BigInt(session.index),
        purpose: session.participant.purpose,
        media_type: text(session.raw['mediaType']),
        direction: text(session.raw['direction']),
        flow_id: flowId,
        flow_name: nameThen(names.flows, flowId, raw['flowName']),
        flow_type: text(raw['flowType']),
        flow_version: text(raw['flowVersion']),
        started_at: startOf(session),
        ended_at: endOf(session.segments),
        flow_seconds: seconds([session], 'tFlow'),
        entry_type: text(raw['entryType']),
        entry_reason: text(raw['entryReason']),
        exit_reason: text(raw['exitReason']),
        transfer_type: text(raw['transferType']),
        transfer_target_name: text(raw['transferTargetName']),
        transfer_target_address: text(raw['transferTargetAddress']),
        starting_language: text(raw['startingLanguage']),
        ending_language: text(raw['endingLanguage']),
        issued_callback: flag(raw['issuedCallback']),
        recognition_failure_reason: text(raw['recognitionFailureReason']),
      },
    ]
  })
}

export function flowOutcomeRows(c: Conversation, names: Names): Row[] {
  return c.sessions.flatMap((session) => {
    const flow = session.flow
    if (!flow) return []
    return flow.outcomes.map(({ index, raw }) => {
      const [flowId, outcomeId] = [text(flow.raw['flowId']), text(raw['flowOutcomeId'])]
      const [started, ended] = [instant(raw['flowOutcomeStartTimestamp']), instant(raw['flowOutcomeEndTimestamp'])]
      return {
        _index: BigInt(index),
        _session_index: BigInt(session.index),
        flow_id: flowId,
        flow_name: nameThen(names.flows, flowId, flow.raw['flowName']),
        flow_type: text(flow.raw['flowType']),
        media_type: text(session.raw['mediaType']),
        direction: text(session.raw['direction']),
        flow_outcome_id: outcomeId,
        flow_outcome_name: nameOf(names.flow_outcomes, outcomeId),
        flow_outcome_value: text(raw['flowOutcomeValue']),
        started_at: started,
        ended_at: ended,
        duration_seconds: length(started, ended),
      }
    })
  })
}

export function evaluationRows(c: Conversation, names: Names): Row[] {
  return c.evaluations.map(({ index, raw }) => {
    const id = (property: string) => text(raw[property])
    return {
      _index: BigInt(index),
      evaluation_id: id('evaluationId'),
      evaluation_status: id('evaluationStatus'),
      event_time: instant(raw['eventTime']),
      form_id: id('formId'),
      form_name: nameThen(names.evaluation_forms, id('formId'), raw['formName']),
      context_id: id('contextId'),
      queue_id: id('queueId'),
      queue_name: nameOf(names.queues, id('queueId')),
      user_id: id('userId'),
      user_name: nameOf(names.users, id('userId')),
      evaluator_id: id('evaluatorId'),
      evaluator_name: nameOf(names.users, id('evaluatorId')),
      assignee_id: id('assigneeId'),
      assignee_name: nameOf(names.users, id('assigneeId')),
      calibration_id: id('calibrationId'),
      total_score: whole(raw['oTotalScore']),
      total_critical_score: whole(raw['oTotalCriticalScore']),
      released: flag(raw['released']),
      rescored: flag(raw['rescored']),
      deleted: flag(raw['deleted']),
      system_submitted: flag(raw['systemSubmitted']),
      assignee_applicable: flag(raw['assigneeApplicable']),
    }
  })
}

export function surveyRows(c: Conversation, names: Names): Row[] {
  return c.surveys.map(({ index, raw }) => {
    const id = (property: string) => text(raw[property])
    return {
      _index: BigInt(index),
      survey_id: id('surveyId'),
      survey_status: id('surveyStatus'),
      survey_type: id('surveyType'),
      event_time: instant(raw['eventTime']),
      completed_at: instant(raw['surveyCompletedDate']),
      survey_form_id: id('surveyFormId'),
      survey_form_name: nameThen(names.survey_forms, id('surveyFormId'), raw['surveyFormName']),
      survey_form_context_id: id('surveyFormContextId'),
      queue_id: id('queueId'),
      queue_name: nameOf(names.queues, id('queueId')),
      user_id: id('userId'),
      user_name: nameOf(names.users, id('userId')),
      total_score: whole(raw['oSurveyTotalScore']),
      promoter_score: whole(raw['surveyPromoterScore']),
      partial_response: flag(raw['surveyPartialResponse']),
    }
  })
}

/** @param attributes of each participant, in their order; undefined: it has none */
export function attributeRows(
  c: Conversation,
  names: Names,
  attributes: readonly (Readonly<Record<string, string>> | undefined)[],
): Row[] {
  return c.participants.flatMap(({ index, raw, purpose, userId }) =>
    Object.entries(attributes[index] ?? {}).map(([key, value]) => ({
      _participant_index: BigInt(index),
      participant_id: text(raw['participantId']),
      purpose,
      user_id: userId,
      user_name: nameOf(names.users, userId),
      key,
      value,
    })),
  )
}

/** Transfers and consultations of a session: the metrics of one instant are one event. */
export function transfersOf(
  session: Session,
): { readonly at: number | null; readonly event: string; readonly detail: string | null }[] {
  const named = (name: string) => counted([session], name).filter(({ value }) => value! > 0n)
  const of = (event: string, ...lists: string[]) => {
    const all = lists.flatMap(named)
    return [...new Set(all.map(({ emitted }) => emitted))].map((at) => {
      const has = (name: string) => all.some((metric) => metric.name === name && metric.emitted === at)
      return {
        at,
        event,
        detail: has('nConsultTransferred') ? 'consult' : has('nBlindTransferred') ? 'blind' : null,
      }
    })
  }
  return [...of('transfer', 'nTransferred', 'nBlindTransferred', 'nConsultTransferred'), ...of('consult', 'nConsult')]
}

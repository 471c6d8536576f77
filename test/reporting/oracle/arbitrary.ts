/** Conversations of few queues, agents and instants, so that everything that can coincide does: times, metrics, sessions, missing values. */
import * as fc from 'fast-check'
import type { JsonObject, JsonValue } from '../../../src/model/json.ts'

const START = Date.parse('2025-06-11T09:00:00Z')

/** Mostly one of the values; now and then none, or something else than a value of that kind. */
function often<Value extends JsonValue>(
  value: fc.Arbitrary<Value>,
  ...others: readonly JsonValue[]
): fc.Arbitrary<JsonValue> {
  return fc.oneof(
    { weight: 8, arbitrary: value },
    { weight: 1, arbitrary: fc.constantFrom<JsonValue>(null, ...others) },
  )
}

/** Half seconds of ten minutes: many of them are the same, or within a second of each other. */
const time = often(
  fc.integer({ min: 0, max: 1200 }).map((halfSeconds) => new Date(START + halfSeconds * 500).toISOString()),
  '2025-06-31T09:00:00.000Z',
)
const nearTime = often(
  fc.integer({ min: 0, max: 8 }).map((halfSeconds) => new Date(START + halfSeconds * 500).toISOString()),
)
const queue = often(fc.constantFrom('queue-1', 'queue-2', 'queue-3'), 7)
const value = often(fc.constantFrom<JsonValue>(0, 1, 999, 301_000, 2_000_000), '12', 1.5)

const segment = fc.record({
  segmentType: often(fc.constantFrom('alert', 'interact', 'hold', 'wrapup', 'delay', 'dialing', 'ivr', 'system')),
  segmentStart: fc.oneof(time, nearTime),
  segmentEnd: fc.oneof(time, nearTime),
  queueId: queue,
  disconnectType: fc.option(fc.constantFrom('client', 'peer', 'transfer')),
  wrapUpCode: fc.option(fc.constantFrom('code-1', 'ININ-WRAP-UP-TIMEOUT')),
  wrapUpNote: fc.option(fc.constantFrom('a note', 'another\0one')),
  requestedRoutingSkillIds: fc.option(fc.constantFrom<JsonValue>(['skill-1', 'skill-2'], ['skill-2'], [])),
  requestedLanguageId: fc.option(fc.constantFrom('language-1')),
})

const metric = fc.record({
  name: fc.constantFrom(
    'nOffered', 'tAcd', 'tAbandon', 'tShortAbandon', 'tFlowOut', 'nOverSla', 'tAnswered', 'tAlert', 'tTalk', 'tTalkComplete', 'tHeldComplete', 'tAcw',
    'tHandle', 'tIvr', 'tFlow', 'nTransferred', 'nBlindTransferred', 'nConsultTransferred', 'nConsult',
  ), // prettier-ignore
  value,
  emitDate: fc.oneof(time, nearTime),
})

const session = fc.record({
  mediaType: often(fc.constantFrom('voice', 'message', 'email'), 3),
  messageType: fc.option(fc.constantFrom('sms', 'webmessaging')),
  direction: often(fc.constantFrom('inbound', 'outbound')),
  outboundCampaignId: fc.option(fc.constantFrom('campaign-1')),
  segments: often(fc.array(segment, { maxLength: 5 })),
  metrics: often(fc.array(metric, { maxLength: 6 })),
  flow: fc.option(
    fc.record({
      flowId: often(fc.constantFrom('flow-1', 'flow-2')),
      flowName: fc.option(fc.constantFrom('Menu')),
      exitReason: fc.option(fc.constantFrom('TRANSFER')),
      outcomes: fc.option(
        fc.array(
          fc.record({
            flowOutcomeId: often(fc.constantFrom('outcome-1')),
            flowOutcomeValue: fc.constantFrom('SUCCESS', 'FAILURE'),
            flowOutcomeStartTimestamp: time,
            flowOutcomeEndTimestamp: time,
          }),
          { maxLength: 2 },
        ),
      ),
    }),
    { freq: 3 },
  ),
})

const participant = fc.record({
  participantId: fc.constantFrom('p1', 'p2', 'p3'),
  purpose: often(
    fc.constantFrom(
      'customer',
      'external',
      'acd',
      'acd',
      'agent',
      'agent',
      'agent',
      'user',
      'ivr',
      'workflow',
      'voicemail',
    ),
  ),
  userId: often(fc.constantFrom('user-1', 'user-2', 'user-3')),
  teamId: fc.option(fc.constantFrom('team-1')),
  sessions: often(fc.array(session, { maxLength: 3 })),
})

const evaluation = fc.record({
  evaluationId: fc.constantFrom('e1', 'e2'),
  evaluationStatus: fc.constantFrom('Pending', 'Finished'),
  eventTime: time,
  evaluatorId: often(fc.constantFrom('user-1', 'user-3')),
  userId: often(fc.constantFrom('user-2')),
  queueId: queue,
  formId: often(fc.constantFrom('form-1', 'form-2')),
  formName: fc.option(fc.constantFrom('Quality')),
  oTotalScore: fc.option(fc.constantFrom<JsonValue>(80, 90.5, 100)),
  calibrationId: fc.option(fc.constantFrom('calibration-1')),
})

const survey = fc.record({
  surveyId: fc.constantFrom('s1', 's2'),
  surveyStatus: fc.constantFrom('Sent', 'Finished'),
  eventTime: time,
  surveyCompletedDate: time,
  queueId: queue,
  userId: often(fc.constantFrom('user-1')),
  surveyFormId: often(fc.constantFrom('form-1')),
  surveyFormName: fc.option(fc.constantFrom('After contact')),
  surveyPromoterScore: fc.option(fc.constantFrom(0, 10)),
  oSurveyTotalScore: fc.option(fc.constantFrom<JsonValue>(70, '80')),
})

/** A conversation without id. */
export const arbitraryConversation: fc.Arbitrary<JsonObject> = fc.record({
  conversationStart: fc.constant(new Date(START).toISOString()),
  conversationEnd: time,
  originatingDirection: often(fc.constantFrom('inbound', 'outbound')),
  divisionIds: often(fc.constantFrom<JsonValue>(['d1'], ['d2', 'd1'])),
  participants: fc.array(participant, { maxLength: 6 }),
  evaluations: fc.option(fc.array(evaluation, { maxLength: 2 })),
  surveys: fc.option(fc.array(survey, { maxLength: 2 })),
})

import { ApiError } from './api-error.ts'
import {
  CONVERSATION_DIMENSIONS,
  CONVERSATION_METRICS,
  EVALUATION_DIMENSIONS,
  RESOLUTION_DIMENSIONS,
  SEGMENT_DIMENSIONS,
  SURVEY_DIMENSIONS,
  type SegmentContext,
} from './dimensions.ts'
import type { Json } from './conversation-plan.ts'

/** True where a conversation passes. */
export type Test = (conversation: Json) => boolean

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)
/** The objects among the elements of a list; of anything else none. */
export const objectsOf = (value: unknown): Json[] => (Array.isArray(value) ? value.filter(isObject) : [])

/** The API's answer to a value that a field does not take. */
export function invalidValue(value: unknown, field: string, allowed: Iterable<string>): ApiError {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  const list = [...allowed].join(', ')
  return new ApiError(
    400,
    'invalid.value',
    `Value [${text}] is not valid for field type [${field}]. Allowable values are: ${list}`,
    { params: { value: text, fieldType: field, allowableValues: list } },
  )
}

/** Refuses fields that the API does not know. */
export function onlyFields(value: unknown, what: string, allowed: readonly string[]): Json {
  if (!isObject(value)) throw new ApiError(400, 'bad.request', `${what} must be an object.`)
  for (const key of Object.keys(value)) if (!allowed.includes(key)) throw invalidValue(key, `${what} field`, allowed)
  return value
}

/** One of a list of words, or nothing. */
export function oneOf(value: unknown, field: string, allowed: readonly string[]): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string' || !allowed.includes(value)) throw invalidValue(value, field, allowed)
  return value
}

function listIn(value: unknown, what: string): unknown[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw new ApiError(400, 'bad.request', `${what} must be a list.`)
  return value
}

const TIME_DIMENSIONS = new Set([
  'conversationEnd', 'conversationStart', 'segmentEnd', 'eventTime', 'surveyCompletedDate', 'callbackScheduledTime',
  'detectedSpeechStart', 'detectedSpeechEnd',
]) // prettier-ignore

/** Turns `value` and `range` of a predicate into a test of one value of a record. */
function matcher(predicate: Json, name: string): (found: unknown) => boolean {
  const { value, range } = predicate
  if (range !== undefined && range !== null) {
    const bounds = onlyFields(range, 'range', ['gt', 'gte', 'lt', 'lte'])
    for (const bound of Object.values(bounds))
      if (typeof bound !== 'number') throw invalidValue(bound, 'range', ['a number'])
    const { gt, gte, lt, lte } = bounds as Record<string, number | undefined>
    return (found) => {
      const number = TIME_DIMENSIONS.has(name) ? Date.parse(String(found)) : Number(found)
      return (
        (gt === undefined || number > gt) &&
        (gte === undefined || number >= gte) &&
        (lt === undefined || number < lt) &&
        (lte === undefined || number <= lte)
      )
    }
  }
  if (typeof value !== 'string')
    throw new ApiError(400, 'bad.request', `Predicate on [${name}] needs a value or a range.`)
  if (TIME_DIMENSIONS.has(name)) {
    const [from, to] = value.split('/').map((text) => Date.parse(text))
    if (from === undefined || Number.isNaN(from) || (to !== undefined && Number.isNaN(to)))
      throw new ApiError(400, 'invalid.date', `Dates must be specified as ISO-8601 strings: [${value}]`)
    return (found) => {
      const time = Date.parse(String(found))
      return to === undefined ? time === from : time >= from && time < to
    }
  }
  return (found) => String(found) === value
}

/** What the predicates of one of the five filter arrays can use. */
interface Subject<T> {
  readonly filter: string
  readonly dimensions: Readonly<Record<string, (from: T) => unknown>>
  readonly metrics: ReadonlySet<string>
  readonly metric: (from: T, name: string) => unknown
  readonly property?: (from: T, name: string, type: unknown) => unknown
}

function predicateTest<T>(raw: unknown, subject: Subject<T>): (from: T) => boolean {
  const fields = ['type', 'dimension', 'metric', 'operator', 'value', 'range']
  if (subject.property) fields.push('property', 'propertyType')
  const predicate = onlyFields(raw, `${subject.filter} predicate`, fields)
  oneOf(predicate['type'], 'predicate type', ['dimension', 'property', 'metric'])
  const operator = oneOf(predicate['operator'], 'operator', ['matches', 'exists', 'notExists']) ?? 'matches'
  const { dimension, metric, property } = predicate

  let get: (from: T) => unknown
  let name: string
  if (typeof dimension === 'string') {
    const getter = Object.hasOwn(subject.dimensions, dimension) ? subject.dimensions[dimension] : undefined
    if (!getter) throw invalidValue(dimension, `${subject.filter} dimension`, Object.keys(subject.dimensions))
    get = getter
    name = dimension
  } else if (typeof metric === 'string') {
    if (!subject.metrics.has(metric)) throw invalidValue(metric, `${subject.filter} metric`, subject.metrics)
    get = (from) => subject.metric(from, metric)
    name = metric
  } else if (typeof property === 'string' && subject.property) {
    oneOf(predicate['propertyType'], 'propertyType', ['bool', 'integer', 'real', 'date', 'string', 'uuid'])
    get = (from) => subject.property?.(from, property, predicate['propertyType'])
    name = property
  } else {
    throw new ApiError(400, 'bad.request', `A ${subject.filter} predicate needs a dimension or a metric.`)
  }

  const values = (from: T): unknown[] => [get(from)].flat().filter((value) => value !== undefined && value !== null)
  if (operator === 'exists') return (from) => values(from).length > 0
  if (operator === 'notExists') return (from) => values(from).length === 0
  const matches = matcher(predicate, name)
  return (from) => values(from).some(matches)
}

function combine<T>(type: string, tests: readonly ((from: T) => boolean)[]): (from: T) => boolean {
  return type === 'or' ? (from) => tests.some((test) => test(from)) : (from) => tests.every((test) => test(from))
}

function required(value: unknown, what: string): string {
  const type = oneOf(value, `${what} type`, ['and', 'or'])
  if (type === undefined) throw new ApiError(400, 'bad.request', `The type of a ${what} is required: and, or.`)
  return type
}

function filterTest<T>(raw: unknown, subject: Subject<T>): (from: T) => boolean {
  const filter = onlyFields(raw, `${subject.filter} filter`, ['type', 'clauses', 'predicates'])
  const type = required(filter['type'], 'filter')
  const clauses = listIn(filter['clauses'], 'clauses').map((rawClause) => {
    const clause = onlyFields(rawClause, `${subject.filter} clause`, ['type', 'predicates'])
    const predicates = listIn(clause['predicates'], 'predicates').map((each) => predicateTest(each, subject))
    return combine(required(clause['type'], 'clause'), predicates)
  })
  const predicates = listIn(filter['predicates'], 'predicates').map((each) => predicateTest(each, subject))
  if (clauses.length + predicates.length === 0)
    throw new ApiError(400, 'bad.request', `A ${subject.filter} filter needs predicates or clauses.`)
  return combine(type, [...clauses, ...predicates])
}

/**
 * Reads one filter with clauses and predicates over dimensions.
 * @param filter its name in messages
 * @returns the test; a missing filter lets everything pass
 * @throws ApiError 400 for what the API does not know
 */
export function readBooleanFilter<T>(
  raw: unknown,
  filter: string,
  dimensions: Readonly<Record<string, (from: T) => unknown>>,
): (from: T) => boolean {
  if (raw === undefined || raw === null) return () => true
  return filterTest(raw, { filter, dimensions, metrics: new Set(), metric: () => undefined })
}

/** Every segment of a conversation with what surrounds it; a session without segments counts as one empty segment. */
function segmentContexts(conversation: Json): SegmentContext[] {
  return objectsOf(conversation['participants']).flatMap((participant) =>
    objectsOf(participant['sessions']).flatMap((session) => {
      const segments = objectsOf(session['segments'])
      const flow = isObject(session['flow']) ? session['flow'] : {}
      return (segments.length > 0 ? segments : [{}]).map((segment) => ({ participant, session, flow, segment }))
    }),
  )
}

/** Milliseconds between two instants; undefined where one is missing. */
function span(start: unknown, end: unknown): number | undefined {
  return typeof start === 'string' && typeof end === 'string' ? Date.parse(end) - Date.parse(start) : undefined
}

const CONVERSATION_SUBJECT: Subject<Json> = {
  filter: 'conversation',
  dimensions: CONVERSATION_DIMENSIONS,
  metrics: CONVERSATION_METRICS,
  metric: (conversation, name) => {
    if (name !== 'tConversationDuration')
      return objectsOf(conversation['participants'])
        .flatMap((participant) => objectsOf(participant['sessions']))
        .flatMap((session) => objectsOf(session['metrics']))
        .filter((metric) => metric['name'] === name)
        .map((metric) => metric['value'])
    const { conversationStart, conversationEnd } = conversation
    return span(conversationStart, conversationEnd)
  },
}

const SEGMENT_SUBJECT: Subject<SegmentContext> = {
  filter: 'segment',
  dimensions: SEGMENT_DIMENSIONS,
  metrics: new Set(['tSegmentDuration']),
  metric: ({ segment }) => span(segment['segmentStart'], segment['segmentEnd']),
  property: ({ segment }, name, type) =>
    objectsOf(segment['properties'])
      .filter((each) => each['property'] === name && (type === undefined || each['propertyType'] === type))
      .map((each) => each['value']),
}

const listSubject = (
  filter: string,
  dimensions: Readonly<Record<string, (item: Json) => unknown>>,
  metrics: readonly string[],
): Subject<Json> => ({ filter, dimensions, metrics: new Set(metrics), metric: (item, name) => item[name] })

/** Filters over lists of a conversation: each must be passed by some element. */
const LIST_FILTERS = [
  [
    'evaluationFilters',
    'evaluations',
    listSubject('evaluation', EVALUATION_DIMENSIONS, ['oTotalCriticalScore', 'oTotalScore']),
  ],
  ['surveyFilters', 'surveys', listSubject('survey', SURVEY_DIMENSIONS, ['oSurveyTotalScore'])],
  ['resolutionFilters', 'resolutions', listSubject('resolution', RESOLUTION_DIMENSIONS, ['nNextContactAvoided'])],
] as const

/**
 * Reads the five filter arrays of a query. Elements of an array are ANDed; the predicates of one segment (evaluation, survey,
 * resolution) filter have to be met by one and the same segment (evaluation, …).
 * @returns the tests that a conversation has to pass; none where there is no filter
 * @throws ApiError 400 for what the API does not know
 */
export function readFilters(body: Json): Test[] {
  const tests: Test[] = []
  for (const raw of listIn(body['conversationFilters'], 'conversationFilters'))
    tests.push(filterTest(raw, CONVERSATION_SUBJECT))
  for (const raw of listIn(body['segmentFilters'], 'segmentFilters')) {
    const test = filterTest(raw, SEGMENT_SUBJECT)
    tests.push((conversation) => segmentContexts(conversation).some(test))
  }
  for (const [name, list, subject] of LIST_FILTERS)
    for (const raw of listIn(body[name], name)) {
      const test = filterTest(raw, subject)
      tests.push((conversation) => objectsOf(conversation[list]).some(test))
    }
  return tests
}

import { ApiError } from './api-error.ts'
import { objectsOf, oneOf, onlyFields, readBooleanFilter } from './predicates.ts'
import type { ConversationStore } from './store.ts'
import type { Json } from './conversation-plan.ts'

type ActivityMetric = 'oWaiting' | 'oAlerting' | 'oInteracting'

/** A session of a queue's conversation that is in progress: waiting for an agent, alerting one, or handled by one. */
interface Activity {
  readonly metric: ActivityMetric
  readonly conversation: Json
  readonly participant: Json
  readonly session: Json
  readonly segment: Json
}

const METRIC_NAMES = ['oAlerting', 'oInteracting', 'oLongestInteracting', 'oLongestWaiting', 'oWaiting']
/** The dimensions that can be grouped by and filtered on, with where each is found. */
const DIMENSIONS: Readonly<Record<string, (activity: Activity) => unknown>> = {
  activeRouting: ({ session }) => session['requestedRoutings'],
  addressFrom: ({ session }) => session['addressFrom'],
  addressTo: ({ session }) => session['addressTo'],
  agentScore: ({ segment }) => objectsOf(segment['scoredAgents']).map((each) => each['agentScore']),
  ani: ({ session }) => session['ani'],
  conversationId: ({ conversation }) => conversation['conversationId'],
  convertedFrom: () => undefined,
  convertedTo: () => undefined,
  direction: ({ session }) => session['direction'],
  dnis: ({ session }) => session['dnis'],
  mediaType: ({ session }) => session['mediaType'],
  participantName: ({ participant }) => participant['participantName'],
  queueId: ({ segment }) => segment['queueId'],
  requestedLanguageId: ({ segment }) => segment['requestedLanguageId'],
  requestedRouting: ({ session }) => session['requestedRoutings'],
  requestedRoutingSkillId: ({ segment }) => segment['requestedRoutingSkillIds'],
  routingPriority: () => 0,
  scoredAgentId: ({ segment }) => objectsOf(segment['scoredAgents']).map((each) => each['scoredAgentId']),
  sessionId: ({ session }) => session['sessionId'],
  teamId: ({ participant }) => participant['teamId'],
  usedRouting: ({ session }) => session['usedRouting'],
  userId: ({ participant }) => participant['userId'],
}
const HANDLING_SEGMENTS: ReadonlySet<unknown> = new Set(['interact', 'hold', 'dialing', 'contacting', 'callback'])
/** More entities than this in a group are cut: the oldest half and the newest half remain. An assumption; Genesys names no number. */
const MAX_ENTITIES = 10_000

/**
 * The sessions that are waiting, alerting and interacting in the queues now, of any age. After-call work, parked contacts, and
 * conversations outside queues (menus, bots, calls without a queue) do not count. A conversation that an agent handles is not
 * waiting.
 */
export function activitiesOf(store: ConversationStore): Activity[] {
  return store.open().flatMap((stored) => {
    const conversation = store.wellFormed(stored)
    const of = (purpose: string): Omit<Activity, 'metric'>[] =>
      objectsOf(conversation['participants'])
        .filter((participant) => participant['purpose'] === purpose)
        .flatMap((participant) =>
          objectsOf(participant['sessions']).flatMap((session) => {
            const segment = objectsOf(session['segments']).at(-1)
            if (!segment || segment['segmentEnd'] !== undefined || typeof segment['queueId'] !== 'string') return []
            return [{ conversation, participant, session, segment }]
          }),
        )
    const agents = of('agent').flatMap((each): Activity[] => {
      const type = each.segment['segmentType']
      if (type === 'alert') return [{ ...each, metric: 'oAlerting' }]
      return HANDLING_SEGMENTS.has(type) ? [{ ...each, metric: 'oInteracting' }] : []
    })
    if (agents.length > 0) return agents
    return of('acd').map((each) => ({ ...each, metric: 'oWaiting' as const }))
  })
}

/** The metric of the activities that a requested metric is about. */
function basisOf(metric: string): ActivityMetric {
  if (metric === 'oLongestWaiting') return 'oWaiting'
  return metric === 'oLongestInteracting' ? 'oInteracting' : (metric as ActivityMetric)
}

function requestedMetrics(raw: unknown): { metric: string; details: boolean }[] {
  const list: unknown[] = Array.isArray(raw) ? raw : []
  if (list.length === 0) throw new ApiError(400, 'bad.request', 'metrics are required.')
  return list.map((each) => {
    const { metric, details } = onlyFields(each, 'ConversationActivityQueryMetric', ['metric', 'details'])
    const name = oneOf(metric, 'metric', METRIC_NAMES)
    if (name === undefined) throw new ApiError(400, 'bad.request', 'metric is required.')
    if (details !== undefined && details !== null && typeof details !== 'boolean')
      throw new ApiError(400, 'bad.request', 'details must be a boolean.')
    return { metric: name, details: details === true }
  })
}

function pageNumberOf(query: URLSearchParams, name: string, fallback: number): number {
  const text = query.get(name)
  if (text === null) return fallback
  if (!/^\d+$/.test(text) || Number(text) < 1)
    throw new ApiError(400, 'bad.request', `${name} must be a whole number of at least 1, and is ${text}.`)
  return Number(text)
}

function entityOf(activity: Activity, metric: string): Json {
  const { conversation, participant, session, segment } = activity
  const entity: Json = {
    activityDate: segment['segmentStart'],
    metric,
    conversationId: conversation['conversationId'],
    sessionId: session['sessionId'],
    requestedRoutings: session['requestedRoutings'],
    requestedRoutingSkillIds: segment['requestedRoutingSkillIds'],
    requestedLanguageId: segment['requestedLanguageId'],
    participantName: participant['participantName'],
    teamId: participant['teamId'],
    userId: participant['userId'],
    queueId: segment['queueId'],
    routingPriority: 0,
  }
  for (const name of ['addressFrom', 'addressTo', 'ani', 'direction', 'dnis', 'mediaType', 'usedRouting'])
    entity[name] = session[name]
  return Object.fromEntries(Object.entries(entity).filter(([, value]) => value !== undefined))
}

/**
 * Answers POST /api/v2/analytics/conversations/activity/query: counts, and with `details` also lists, the sessions in progress
 * in the queues, whenever they started. Groups come in pages.
 * @param visible the divisions of the client; undefined: all
 * @throws ApiError 400 for what the API would refuse
 */
export function queryActivity(
  store: ConversationStore,
  raw: unknown,
  query: URLSearchParams,
  visible: ReadonlySet<string> | undefined,
): Json {
  const body = onlyFields(raw, 'ConversationActivityQuery', ['metrics', 'groupBy', 'filter', 'order'])
  const metrics = requestedMetrics(body['metrics'])
  const groupBy: unknown[] = Array.isArray(body['groupBy']) ? body['groupBy'] : []
  if (groupBy.length === 0) throw new ApiError(400, 'bad.request', 'groupBy is required.')
  const names = groupBy.map((each) => oneOf(each, 'groupBy', Object.keys(DIMENSIONS)) ?? '')
  const order = oneOf(body['order'], 'order', ['asc', 'desc', 'unordered']) ?? 'asc'
  const passes = readBooleanFilter(body['filter'], 'conversation activity', DIMENSIONS)
  const pageSize = pageNumberOf(query, 'pageSize', 100)
  const pageNumber = pageNumberOf(query, 'pageNumber', 1)

  const groups = new Map<string, { group: Json; members: Activity[] }>()
  for (const activity of activitiesOf(store)) {
    const divisions = activity.conversation['divisionIds']
    if (visible && !(Array.isArray(divisions) && divisions.some((id) => visible.has(String(id))))) continue
    if (!passes(activity)) continue
    for (const group of groupsOf(activity, names)) {
      const key = JSON.stringify(group)
      const known = groups.get(key) ?? { group, members: [] }
      known.members.push(activity)
      groups.set(key, known)
    }
  }
  const sorted = [...groups].toSorted(([a], [b]) => (a < b ? -1 : 1))
  if (order === 'desc') sorted.reverse()
  const page = sorted.slice((pageNumber - 1) * pageSize, pageNumber * pageSize)
  return { results: page.map(([, { group, members }]) => resultOf(store.clock.now(), group, members, metrics)) }
}

/** The groups that an activity belongs to: one for each value where a dimension has several. */
function groupsOf(activity: Activity, names: readonly string[]): Json[] {
  let groups: Json[] = [{}]
  for (const name of names) {
    const values = [DIMENSIONS[name]?.(activity)]
      .flat()
      .filter((value): value is string | number => typeof value === 'string' || typeof value === 'number')
    if (values.length > 0)
      groups = groups.flatMap((group) => values.map((value) => ({ ...group, [name]: String(value) })))
  }
  return groups
}

function resultOf(
  now: number,
  group: Json,
  members: readonly Activity[],
  metrics: readonly { metric: string; details: boolean }[],
): Json {
  const startOf = ({ segment }: Activity): number => Date.parse(String(segment['segmentStart']))
  const entities: Json[] = []
  const data = metrics.map(({ metric, details }) => {
    const found = members.filter((each) => each.metric === basisOf(metric)).toSorted((a, b) => startOf(a) - startOf(b))
    if (details) entities.push(...found.map((each) => entityOf(each, metric)))
    const [oldest] = found
    if (!metric.startsWith('oLongest')) return { metric, count: found.length }
    return { metric, ...(oldest && { calculatedMetricValue: now - startOf(oldest) }) }
  })
  const truncated = entities.length > MAX_ENTITIES
  return {
    group,
    data,
    ...(truncated && { truncated }),
    ...(entities.length > 0 && {
      entities: truncated ? [...entities.slice(0, MAX_ENTITIES / 2), ...entities.slice(-MAX_ENTITIES / 2)] : entities,
    }),
  }
}

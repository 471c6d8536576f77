import { activitiesOf } from './activity.ts'
import { ApiError } from './api-error.ts'
import type { Org } from './org.ts'
import { oneOf, onlyFields } from './predicates.ts'
import { hashFraction } from './random.ts'
import type { ConversationStore } from './store.ts'
import type { Json } from './conversation-plan.ts'

const METRIC_NAMES = [
  'oActiveUsers', 'oAlerting', 'oInteracting', 'oMemberUsers', 'oOffQueueUsers', 'oOnQueueUsers', 'oUserPresences',
  'oUserRoutingStatuses', 'oWaiting',
] // prettier-ignore
/** How many predicates one observation query may have. */
const MAX_PREDICATES = 200

function predicatesOf(filter: Json): Json[] {
  const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : [])
  return [
    ...list(filter['predicates']),
    ...list(filter['clauses']).flatMap((clause) => list(clause['predicates'])),
  ].map((raw) => {
    const predicate = onlyFields(raw, 'predicate', ['type', 'dimension', 'operator', 'value', 'range'])
    oneOf(predicate['dimension'], 'dimension', ['mediaType', 'queueId'])
    return predicate
  })
}

/** Counts waiting, alerting and interacting by queue and media type, from what is open. */
function countOpen(store: ConversationStore): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { metric, session, segment } of activitiesOf(store)) {
    const key = `${String(segment['queueId'])}/${String(session['mediaType'])}/${metric}`
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return counts
}

/**
 * Answers POST /api/v2/analytics/queues/observations/query from the conversations in progress.
 * @throws ApiError 400 for what the API would refuse
 */
export function observeQueues(store: ConversationStore, org: Org, raw: unknown): Json {
  const body = onlyFields(raw, 'QueueObservationQuery', ['filter', 'metrics', 'detailMetrics'])
  const metrics = Array.isArray(body['metrics']) ? (body['metrics'] as string[]) : []
  if (metrics.length === 0) throw new ApiError(400, 'bad.request', 'metrics are required.')
  for (const metric of metrics) oneOf(metric, 'metric', METRIC_NAMES)
  const predicates = predicatesOf(onlyFields(body['filter'], 'filter', ['type', 'clauses', 'predicates']))
  if (predicates.length > MAX_PREDICATES)
    throw new ApiError(400, 'bad.request', `The filter may not have more than ${MAX_PREDICATES} predicates.`)
  const valuesOf = (dimension: string): string[] =>
    predicates.filter((each) => each['dimension'] === dimension).map((each) => String(each['value']))
  const queueIds = valuesOf('queueId')
  if (queueIds.length === 0) throw new ApiError(400, 'bad.request', 'The filter must name queues.')
  const wantedMedia = valuesOf('mediaType')
  const media = ['voice', 'callback', 'chat', 'email', 'message'].filter(
    (type) => wantedMedia.length === 0 || wantedMedia.includes(type),
  )
  const counts = countOpen(store)
  const hour = Math.floor(store.clock.now() / 3_600_000)
  const results: Json[] = []
  for (const queue of org.queues.filter(({ id }) => queueIds.includes(id))) {
    const users = queue.users.length
    const onQueue = Math.round(users * (0.3 + 0.5 * hashFraction(`${queue.id}/${hour}`)))
    const byUsers: Readonly<Record<string, readonly (readonly [string | undefined, number])[]>> = {
      oMemberUsers: [[undefined, users]],
      oActiveUsers: [[undefined, users]],
      oOnQueueUsers: [['IDLE', Math.ceil(onQueue / 2)], ['INTERACTING', Math.floor(onQueue / 2)]],
      oOffQueueUsers: [['OFF_QUEUE', users - onQueue]],
      oUserPresences: [['ON_QUEUE', onQueue], ['OFFLINE', users - onQueue]],
      oUserRoutingStatuses: [['IDLE', Math.ceil(onQueue / 2)], ['INTERACTING', Math.floor(onQueue / 2)], ['OFF_QUEUE', users - onQueue]],
    } // prettier-ignore
    const userData = metrics.flatMap((metric) =>
      (byUsers[metric] ?? []).map(([qualifier, count]) => ({
        metric,
        ...(qualifier !== undefined && { qualifier }),
        stats: { count },
      })),
    )
    if (userData.length > 0) results.push({ group: { queueId: queue.id }, data: userData })
    const counting = metrics.filter((metric) => ['oWaiting', 'oAlerting', 'oInteracting'].includes(metric))
    if (counting.length === 0) continue
    for (const type of media) {
      const data = counting.map((metric) => ({
        metric,
        stats: { count: counts.get(`${queue.id}/${type}/${metric}`) ?? 0 },
      }))
      results.push({ group: { queueId: queue.id, mediaType: type }, data })
    }
  }
  return { results }
}

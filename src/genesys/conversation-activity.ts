/** Which conversations wait in a queue, ring at an agent or are being handled now, however long ago they started. */
import { objects, type JsonObject } from '../model/json.ts'
import { fieldsOf, refusalWithoutList } from './answer-body.ts'
import { type GenesysClient, type RequestOptions } from './client.ts'

/** By conversation id, a text that changes whenever the activity does; for comparison only. */
export type ConversationActivity = ReadonlyMap<string, string>

const PATH = '/api/v2/analytics/conversations/activity/query'
const GROUPS_PER_PAGE = 100
/** Ends the reading of answers that never end: far more than the queues times media types of any organization. */
const MAX_PAGES = 100

/**
 * Reads the conversation activity of the whole organization, which covers work in queues only: no menus, nothing that is parked
 * or scheduled. A group of a queue and a media type whose list Genesys truncates lacks those in the middle of its age order.
 * Needs analytics:queueObservation:view.
 * @throws GenesysError
 */
export async function readConversationActivity(
  client: GenesysClient,
  options: RequestOptions,
): Promise<ConversationActivity> {
  const groups = new Set<string>()
  const entries = new Map<string, string>()
  // The answer has no total, and pages may be shorter than requested: an empty page, or one with nothing new, is the end.
  for (let pageNumber = 1; pageNumber <= MAX_PAGES; pageNumber++) {
    const results = await readPage(client, pageNumber, options)
    const before = groups.size + entries.size
    for (const result of results) {
      groups.add(JSON.stringify(result['group'] ?? null))
      for (const entity of objects(result['entities'])) {
        const id = entity['conversationId']
        if (typeof id === 'string' && id !== '') entries.set(fingerprint(entity), id)
      }
    }
    if (groups.size + entries.size === before) break
  }
  const activity = new Map<string, string>()
  for (const [text, id] of [...entries].sort(([a], [b]) => (a < b ? -1 : 1)))
    activity.set(id, `${activity.get(id) ?? ''}${text}\n`)
  return activity
}

async function readPage(client: GenesysClient, pageNumber: number, options: RequestOptions): Promise<JsonObject[]> {
  const { data } = await client.request<JsonObject>({
    method: 'POST',
    path: PATH,
    query: { pageSize: GROUPS_PER_PAGE, pageNumber },
    body: {
      metrics: ['oWaiting', 'oAlerting', 'oInteracting'].map((metric) => ({ metric, details: true })),
      groupBy: ['queueId', 'mediaType'],
    },
    endpoint: 'conversation-activity',
    // Past the last page the list is null.
    refuse: (answer) =>
      fieldsOf(answer)?.['results'] === null ? null : refusalWithoutList(answer, 'results', 'conversation activity'),
    ...options,
  })
  return objects(data['results'])
}

/** Equal for two entries of the same activity. */
function fingerprint(entity: JsonObject): string {
  const names = ['conversationId', 'metric', 'sessionId', 'mediaType', 'queueId', 'userId', 'activityDate']
  return JSON.stringify(names.map((name) => entity[name] ?? null))
}

/** Which conversations wait in a queue, ring at an agent or are being handled now, however long ago they started. */
import { isJsonObject, objects } from '../model/json.ts'
import type { JsonObject, JsonValue } from '../model/json.ts'
import type { GenesysClient } from './client.ts'
import type { Sending } from './details-query.ts'
import { GenesysError } from './errors.ts'

/** By conversation id: a text that differs when anything of the activity differs, for comparing only. */
export type ConversationActivity = ReadonlyMap<string, string>

const path = '/api/v2/analytics/conversations/activity/query'
/** Groups per page. */
const pageSize = 100
/** Queues times media types that an organization can have, by far; ends the reading of answers that never end. */
const mostPages = 100

/**
 * Reads the conversation activity of the whole organization, which covers work in queues only: no menus, nothing that is parked
 * or scheduled. A group of a queue and a media type whose list Genesys truncates lacks those in the middle of its age order.
 * Needs analytics:queueObservation:view.
 * @throws GenesysError
 */
export async function readConversationActivity(client: GenesysClient, sending: Sending): Promise<ConversationActivity> {
  const groups = new Set<string>()
  const entries = new Map<string, string>()
  // The answer has no total, and a page may be shorter than asked for: an empty one, or one without news, is the end.
  for (let pageNumber = 1; pageNumber <= mostPages; pageNumber++) {
    const results = await readPage(client, pageNumber, sending)
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

async function readPage(client: GenesysClient, pageNumber: number, sending: Sending): Promise<JsonObject[]> {
  const { data, status, correlationId } = await client.request<JsonValue>({
    method: 'POST',
    path,
    query: { pageSize, pageNumber },
    body: {
      metrics: ['oWaiting', 'oAlerting', 'oInteracting'].map((metric) => ({ metric, details: true })),
      groupBy: ['queueId', 'mediaType'],
    },
    endpoint: 'conversation-activity',
    ...sending,
  })
  const results = isJsonObject(data) ? (data['results'] ?? []) : null
  // An error document that comes with status 200 has a message and no results.
  const isError = isJsonObject(data) && data['results'] === undefined && data['message'] !== undefined
  if (!Array.isArray(results) || isError)
    throw new GenesysError(`POST ${path}: the answer is not a page of conversation activity`, {
      code: 'GENESYS_BAD_ANSWER',
      kind: 'retryable',
      method: 'POST',
      path,
      status,
      correlationId,
      attempts: 1,
    })
  return results.filter(isJsonObject)
}

/** What makes two entries the same activity. */
function fingerprint(entity: JsonObject): string {
  const names = ['conversationId', 'metric', 'sessionId', 'mediaType', 'queueId', 'userId', 'activityDate']
  return JSON.stringify(names.map((name) => entity[name] ?? null))
}

import { objects, type JsonObject, type JsonValue } from '../model/json.ts'

/** Ids of reference data that conversations name, by the list that names them. */
export interface ReferencedIds {
  readonly queues: ReadonlySet<string>
  readonly users: ReadonlySet<string>
  readonly wrap_up_codes: ReadonlySet<string>
}

/** The ids that these conversations name. Pure. */
export function referencedIds(conversations: readonly JsonObject[]): ReferencedIds {
  const ids = { queues: new Set<string>(), users: new Set<string>(), wrap_up_codes: new Set<string>() }
  const add = (set: Set<string>, id: JsonValue | undefined): void => {
    if (typeof id === 'string' && id !== '') set.add(id)
  }
  for (const { participants } of conversations) {
    for (const { userId, sessions } of objects(participants)) {
      add(ids.users, userId)
      for (const { segments } of objects(sessions)) {
        for (const { queueId, wrapUpCode } of objects(segments)) {
          add(ids.queues, queueId)
          add(ids.wrap_up_codes, wrapUpCode)
        }
      }
    }
  }
  return ids
}

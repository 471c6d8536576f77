/** Until when a conversation keeps personal data: the policy in force is that of its start. Pure. */
import { isJsonObject, type JsonValue } from './json.ts'
import type { ConversationPolicy, PersonalPolicy } from './personal.ts'
import { canonicalTime } from './timestamps.ts'

/** The policy for personal data, and up to where its retention has passed. */
export interface PolicyInForce {
  readonly policy: PersonalPolicy
  /** The first instant of a UTC month, as ISO text: conversations that started before it hold no personal data. null: all may. */
  readonly floor: string | null
}

/** That of conversations that started before the floor. */
const DROP_ALL: ConversationPolicy = { customers: 'drop', employees: 'drop', hasher: null }

/**
 * The policy for a conversation: that of the settings itself where the retention does not concern it.
 * @param start as ISO text
 */
export function policyAt({ policy, floor }: PolicyInForce, start: string): ConversationPolicy {
  return floor === null || Date.parse(start) >= Date.parse(floor) ? policy : DROP_ALL
}

/** The policy for a record that may have no valid start: it may be as old as can be, and counts as such. */
export function policyOfRecord(inForce: PolicyInForce, record: JsonValue): ConversationPolicy {
  const start = isJsonObject(record) ? record['conversationStart'] : undefined
  return policyAt(inForce, (typeof start === 'string' ? canonicalTime(start) : null) ?? '')
}

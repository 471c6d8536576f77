/** What a record of a batch becomes under the policy for personal data. */
import { attributesHash, contentHash } from '../model/content-hash.ts'
import type { JsonObject } from '../model/json.ts'
import { applyPolicy, policyTag, type ConversationPolicy } from '../model/personal.ts'
import { policyAt, type PolicyInForce } from '../model/personal-retention.ts'
import type { Entry } from './decide.ts'

/**
 * The hashes of a record. Pure.
 * @param raw what the policy lets be stored of it
 * @param deliversAttributes whether its source delivers attributes, so that their absence means that there are none
 */
export function hashesOf(
  raw: JsonObject,
  policy: ConversationPolicy,
  deliversAttributes: boolean,
): Pick<Entry, 'contentHash' | 'attributesHash'> {
  // attributes that come although the source does not promise them are kept as well
  return {
    contentHash: contentHash(raw, policyTag(policy)),
    attributesHash: attributesHash(raw) ?? (deliversAttributes ? '' : null),
  }
}

/** What the retention of personal data leaves of an entry, to which the policy of the settings was applied before. Pure. */
export function withinRetention(entry: Entry, inForce: PolicyInForce, deliversAttributes: boolean): Entry {
  const policy = policyAt(inForce, entry.conversationStart)
  if (policy === inForce.policy) return entry
  const raw = applyPolicy(policy, entry.raw) as JsonObject
  return { ...entry, raw, ...hashesOf(raw, policy, deliversAttributes) }
}

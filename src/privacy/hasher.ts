/** The hashes that stand for personal values: HMAC-SHA-256, so that nobody without the key can try out telephone numbers. */
import { createHmac } from 'node:crypto'
import { normalizeAddress } from '../model/address.ts'
import { storableText } from '../model/json.ts'
import { HASH_PREFIX, isHashed, type PersonalHasher } from '../model/personal.ts'

/** Characters of the fingerprint of a key: enough to notice another key, too few to be of use. */
const FINGERPRINT_LENGTH = 16
/** Each session of a conversation repeats the same few values: remembering them makes hashing some times faster. */
const MOST_REMEMBERED = 10_000
/** Longer texts are notes, which hardly repeat. */
const LONGEST_REMEMBERED = 200

/**
 * The hasher of a key. The same key and value give the same hash everywhere.
 * @param key the secret of PII_KEY
 */
export function personalHasher(key: string): PersonalHasher {
  const hmac = (text: string): string => createHmac('sha256', key).update(storableText(text), 'utf8').digest('hex')
  return {
    fingerprint: hmac('fingerprint of the key of genesys-etl').slice(0, FINGERPRINT_LENGTH),
    address: remembering((text) => (isHashed(text) ? text : HASH_PREFIX + hmac(normalizeAddress(text)))),
    text: remembering((text) => (isHashed(text) ? text : HASH_PREFIX + hmac(normalizeText(text)))),
  }
}

function remembering(hash: (text: string) => string): (text: string) => string {
  const known = new Map<string, string>()
  return (text) => {
    if (text.length > LONGEST_REMEMBERED) return hash(text)
    const remembered = known.get(text)
    if (remembered !== undefined) return remembered
    if (known.size === MOST_REMEMBERED) known.clear()
    const made = hash(text)
    known.set(text, made)
    return made
  }
}

function normalizeText(text: string): string {
  return text.normalize('NFKC').trim().toLowerCase()
}

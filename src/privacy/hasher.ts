/** The hashes that stand for personal values: HMAC-SHA-256, so that nobody without the key can try out telephone numbers. */
import { createHmac } from 'node:crypto'
import { normalizeAddress } from '../model/address.ts'
import { storableText } from '../model/json.ts'
import { HASH_PREFIX, isHashed, type PersonalHasher } from '../model/personal.ts'

/** Characters of the fingerprint of a key: enough to notice another key, too few to be of use. */
const FINGERPRINT_LENGTH = 16

/**
 * The hasher of a key. The same key and value give the same hash everywhere.
 * @param key the secret of PII_KEY
 */
export function personalHasher(key: string): PersonalHasher {
  const hmac = (text: string): string => createHmac('sha256', key).update(storableText(text), 'utf8').digest('hex')
  const hashOf = (text: string, normalized: string): string => (isHashed(text) ? text : HASH_PREFIX + hmac(normalized))
  return {
    fingerprint: hmac('fingerprint of the key of genesys-etl').slice(0, FINGERPRINT_LENGTH),
    address: (text) => hashOf(text, normalizeAddress(text)),
    text: (text) => hashOf(text, normalizeText(text)),
  }
}

function normalizeText(text: string): string {
  return text.normalize('NFKC').trim().toLowerCase()
}

/** One spelling for each address of a person. Pure. */

const SCHEME = /^(?:tel|sips?|mailto|callto):/i
/** Digits with the punctuation that people and systems write into telephone numbers. */
const TELEPHONE = /^\+?[\d().\-/]+$/
/** A number in international form as the user part of a SIP address: the host says by which gateway it came, not who called. */
const SIP_NUMBER = /^(\+\d{7,15})@/

/**
 * The spelling under which the addresses of one person are equal: without scheme (`tel:`, `sip:`, `mailto:`), parameters and blanks, in lower
 * case; a telephone number as its digits with a leading `+` where it has one; a SIP address whose user is an international number as that
 * number. Anything else, such as the id of a messaging user, keeps its characters. An address of blanks gives ''. Applying it twice changes nothing.
 */
export function normalizeAddress(address: string): string {
  // without blanks, and in lower case, marks may stand in another order
  let text = address.normalize('NFKC').replaceAll(/\s+/gu, '').toLowerCase().normalize('NFC')
  let isUri = false
  while (SCHEME.test(text)) {
    text = text.replace(SCHEME, '')
    isUri = true
  }
  if (isUri) text = text.replace(/[;?].*$/, '')
  text = (isUri && SIP_NUMBER.exec(text)?.[1]) || text
  if (!TELEPHONE.test(text) || !/\d/.test(text)) return text
  return (text.startsWith('+') ? '+' : '') + text.replaceAll(/\D/g, '')
}

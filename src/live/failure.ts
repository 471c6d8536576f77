/** What is kept of why a snapshot failed: one text, so that whoever shows it says what to do as well. Pure. */

/** An answer of a proxy can be a whole page. */
const LONGEST_MESSAGE = 1000
const LONGEST_HINT = 500

/** What happened, and what to do now as a sentence of its own where the error knows it. */
export function reasonWithHint(error: unknown): string {
  const message = cut(error instanceof Error ? error.message : String(error), LONGEST_MESSAGE).trimEnd()
  const hint = error instanceof Error && 'hint' in error && typeof error.hint === 'string' ? error.hint.trim() : ''
  if (hint === '' || message.includes(hint)) return message
  return `${/[.!?…]$/.test(message) ? message : `${message}.`} ${cut(hint, LONGEST_HINT)}`
}

function cut(text: string, longest: number): string {
  return text.length <= longest ? text : `${text.slice(0, longest - 1).toWellFormed()}…`
}

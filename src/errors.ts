/**
 * The errors of the pipeline. The kind decides what happens: `config` refuses to start (78), `fatal` needs action (1), `retryable`
 * may succeed later without any (75). Anything else that is thrown is a bug (1).
 */
export type ErrorKind = 'config' | 'fatal' | 'retryable'

export interface ErrorDetails {
  /** Stable and greppable, e.g. GENESYS_FORBIDDEN. */
  readonly code: string
  readonly kind: ErrorKind
  /** What to do now, one sentence. */
  readonly hint?: string | undefined
  /** Earliest time of another attempt, if the other side named one. */
  readonly retryAt?: Date | undefined
  readonly cause?: unknown
}

/** Base of all errors that the pipeline expects. The message says what happened, and to which window or record. */
export class EtlError extends Error {
  override readonly name: string = 'EtlError'
  readonly code: string
  readonly kind: ErrorKind
  readonly hint: string | undefined
  readonly retryAt: Date | undefined

  constructor(message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = details.code
    this.kind = details.kind
    this.hint = details.hint
    this.retryAt = details.retryAt
  }
}

/** Bad configuration or arguments: exit code 78. */
export class ConfigError extends EtlError {
  override readonly name = 'ConfigError'
  constructor(message: string, hint?: string) {
    super(message, { code: 'CONFIG', kind: 'config', hint })
  }
}

/** A signal stopped the work; its name decides the exit code (130 for SIGINT, 143 for SIGTERM). */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  readonly signal: 'SIGINT' | 'SIGTERM'
  constructor(signal: 'SIGINT' | 'SIGTERM' = 'SIGTERM') {
    super(`interrupted by ${signal}`)
    this.signal = signal
  }
}

/**
 * The exit code of the process for an error: 78 configuration, 75 try again later, 130/143 interrupted, else 1.
 */
export function exitCodeFor(error: unknown): number {
  if (error instanceof Interrupted) return error.signal === 'SIGINT' ? 130 : 143
  if (!(error instanceof EtlError)) return 1
  return { config: 78, retryable: 75, fatal: 1 }[error.kind]
}

/** A proxy may answer with a whole page, which must not fill a table. */
const MAX_REASON_CHARACTERS = 1000
const MAX_HINT_CHARACTERS = 500

/** The message of an error and, if it has one, its hint as a sentence of its own, both cut to a bounded length. */
export function reasonWithHint(error: unknown): string {
  const message = cut(error instanceof Error ? error.message : String(error), MAX_REASON_CHARACTERS).trimEnd()
  const hint = error instanceof Error && 'hint' in error && typeof error.hint === 'string' ? error.hint.trim() : ''
  if (hint === '' || message.includes(hint)) return message
  return `${/[.!?…]$/.test(message) ? message : `${message}.`} ${cut(hint, MAX_HINT_CHARACTERS)}`
}

function cut(text: string, maxCharacters: number): string {
  return text.length <= maxCharacters ? text : `${text.slice(0, maxCharacters - 1).toWellFormed()}…`
}

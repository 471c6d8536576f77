import { setTimeout as sleep } from 'node:timers/promises'
import { backoffMs, withJitter } from '../backoff.ts'
import { EtlError } from '../errors.ts'

/** What an error of the database means for the work at hand. */
export type DatabaseErrorClass = 'transient' | 'data' | 'other'

// https://www.postgresql.org/docs/current/errcodes-appendix.html
const transientStates = new Set(['40P01', '40001', '55P03', '57P01', '57P02', '57P03', '57P05', '25P03'])
// a killed backend shows as one of these rather than as 57P01 when it dies in the middle of a COPY
const transientNetwork = new Set(['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'])
const clientMessages = /^(Connection terminated|timeout (exceeded when trying to|expired)|Client has encountered)/

/**
 * `transient`: the same work may succeed later (deadlock, lost connection, server restarting, disk full). `data`: a value
 * of the batch is unfit (classes 22 and 54). `other`: everything else, for a human.
 */
export function classify(error: unknown): DatabaseErrorClass {
  const { code = '', message = '' } = (error ?? {}) as { code?: string; message?: string }
  if (transientNetwork.has(code) || transientStates.has(code) || /^(08|53)/.test(code)) return 'transient'
  if (/^(22|54)/.test(code) && code.length === 5) return 'data'
  return code === '' && clientMessages.test(message) ? 'transient' : 'other'
}

const RETRY_BACKOFF = { baseMs: 100, ceilingMs: 5000 }

/**
 * Runs `work` again while it fails for a transient reason: at most `attempts` times, waiting 0.1 s, 0.2 s, … up to 5 s with
 * jitter in between. Throws the last error as it came.
 */
export async function retryTransient<Result>(
  work: (attempt: number) => Promise<Result>,
  options: { attempts?: number; signal?: AbortSignal | undefined } = {},
): Promise<Result> {
  const attempts = options.attempts ?? 9
  for (let attempt = 1; ; attempt++) {
    options.signal?.throwIfAborted()
    try {
      return await work(attempt)
    } catch (error) {
      if (attempt >= attempts || classify(error) !== 'transient') throw error
      await sleep(withJitter(backoffMs(attempt, RETRY_BACKOFF), Math.random()), undefined, { signal: options.signal })
    }
  }
}

/** node-postgres gives it no code. */
const noTlsMessage = 'The server does not support SSL connections'

const meanings: readonly [RegExp, string, 'config' | 'fatal' | 'retryable', string][] = [
  [/^(28|3D000)/, 'DATABASE_LOGIN', 'config', 'Check user, password and database name in DATABASE_URL.'],
  [/^(ENOTFOUND|EAI_AGAIN)$/, 'DATABASE_HOST', 'config', 'Check the host name in DATABASE_URL.'],
  [
    /^(SELF_SIGNED|DEPTH_ZERO|UNABLE_TO|CERT_|ERR_TLS)/,
    'DATABASE_TLS',
    'config',
    'Give the server’s authority with sslrootcert=FILE in DATABASE_URL, or sslmode=no-verify if you accept any certificate.',
  ],
  [
    /^53100$/,
    'DATABASE_DISK_FULL',
    'retryable',
    'Make room on the disk of the database; the work is owed and resumes.',
  ],
  [/^42501$/, 'DATABASE_FORBIDDEN', 'fatal', 'Grant what is missing; deploy/roles.sql has what the loader needs.'],
  [/^(42P01|3F000|42703)$/, 'DATABASE_SCHEMA', 'fatal', 'Run: npm run etl -- migrate'],
]

/**
 * Turns an error of pg into an EtlError: code and kind by SQLSTATE, with what to do. Values of rows, which Postgres puts
 * into messages, details and context, are left out. Errors of ours, and aborts, pass through.
 */
export function toEtlError(error: unknown, doing: string): unknown {
  if (error instanceof EtlError || isAbort(error)) return error
  const { code = '', message = '' } = (error ?? {}) as { code?: string; message?: string }
  if (message === noTlsMessage) {
    return new EtlError(`The database failed while ${doing}: it does not offer TLS`, {
      code: 'DATABASE_TLS',
      kind: 'config',
      hint: 'Turn ssl on at the server, or set sslmode=disable in DATABASE_URL where the way to it is safe.',
    })
  }
  if (code === '' && classify(error) === 'other') return error
  const text = /^(22|23|54|P0)/.test(code) ? 'a value or row was refused' : message || 'no answer'
  const told = `The database failed while ${doing}: ${text}${code ? ` (${code})` : ''}`
  const known = meanings.find(([pattern]) => pattern.test(code))
  if (known) return new EtlError(told, { code: known[1], kind: known[2], hint: known[3] })
  if (classify(error) === 'transient') {
    return new EtlError(told, {
      code: 'DATABASE_UNAVAILABLE',
      kind: 'retryable',
      hint: 'See that the database runs and can be reached; the work is owed and resumes.',
    })
  }
  return new EtlError(told, { code: 'DATABASE_ERROR', kind: 'fatal', hint: 'Run: npm run etl -- doctor' })
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || error.name === 'Interrupted')
}

/**
 * Runs a query of the pipeline's own bookkeeping: transient errors are retried.
 * @param doing what is being done, for the message of the error
 * @throws EtlError
 */
export async function recording<Result>(doing: string, query: () => Promise<Result>): Promise<Result> {
  try {
    return await retryTransient(query)
  } catch (error) {
    throw toEtlError(error, doing)
  }
}

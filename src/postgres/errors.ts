import { setTimeout as sleep } from 'node:timers/promises'
import { backoffMs, withJitter } from '../backoff.ts'
import { commandLine } from '../command-line.ts'
import { EtlError, type ErrorKind } from '../errors.ts'

/** What an error of the database means for the work that it interrupted. */
export type DatabaseErrorClass = 'transient' | 'data' | 'other'

/**
 * https://www.postgresql.org/docs/current/errcodes-appendix.html: connection (08), read-only and timeouts of a transaction (25),
 * rollback by the server (40), lock not available (55P03), resources (53), operator intervention but a dropped database (57), I/O (58).
 */
const TRANSIENT_STATE = /^(08...|25006|25P0[34]|40...|55P03|53...|57014|57P0[1235]|58...)$/
const UNFIT_VALUE = /^(22|54)...$/
// A killed backend shows as one of these rather than as 57P01 when it dies in the middle of a COPY. EAI_AGAIN: the resolver is away.
const TRANSIENT_NETWORK = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'EAI_AGAIN',
])
const LOST_CONNECTION = /^(Connection terminated|timeout (exceeded when trying to|expired)|Client has encountered)/

/**
 * `transient`: the same work may succeed later (deadlock, lost connection, server restarting or read-only, disk full). `data`: a
 * value of the batch does not fit (classes 22 and 54). `other`: everything else, which needs a human.
 */
export function classify(error: unknown): DatabaseErrorClass {
  const { code = '', message = '' } = (error ?? {}) as { code?: string; message?: string }
  if (TRANSIENT_NETWORK.has(code) || TRANSIENT_STATE.test(code)) return 'transient'
  if (UNFIT_VALUE.test(code)) return 'data'
  return code === '' && LOST_CONNECTION.test(message) ? 'transient' : 'other'
}

const RETRY_BACKOFF = { baseMs: 100, ceilingMs: 5000 }

/**
 * Runs `work` again while it fails for a transient reason: at most `attempts` times, waiting 0.1 s, 0.2 s, … up to 5 s with
 * jitter in between.
 * @throws the last error as it came
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

interface Meaning {
  /** Matches the code. */
  readonly code: RegExp
  /** Matches the message, too. */
  readonly message?: RegExp
  readonly means: string
  readonly kind: ErrorKind
  readonly hint: string
}

/** The first one that matches counts. Messages are matched only where several causes share a code, or the error has none. */
const MEANINGS: readonly Meaning[] = [
  {
    code: /^28/,
    message: /no encryption/,
    means: 'DATABASE_TLS',
    kind: 'config',
    hint: 'The server accepts this login only on encrypted connections: add sslmode=require (or verify-full) to DATABASE_URL.',
  },
  {
    code: /^28/,
    // with prefer libpq would try again unencrypted; node-postgres cannot
    message: /pg_hba\.conf.*SSL encryption/,
    means: 'DATABASE_LOGIN',
    kind: 'config',
    hint: 'The server does not let this user connect to this database from this host: allow it in pg_hba.conf, or correct DATABASE_URL. If it is allowed on unencrypted connections only, add sslmode=disable to DATABASE_URL.',
  },
  {
    code: /^28/,
    message: /pg_hba\.conf/,
    means: 'DATABASE_LOGIN',
    kind: 'config',
    hint: 'The server does not let this user connect to this database from this host: allow it in pg_hba.conf, or correct DATABASE_URL.',
  },
  {
    code: /^(28|3D000)/,
    means: 'DATABASE_LOGIN',
    kind: 'config',
    hint: 'Check the user, password and database name in DATABASE_URL.',
  },
  {
    code: /^$/,
    message: /client password must be a (non-empty )?string/,
    means: 'DATABASE_LOGIN',
    kind: 'config',
    hint: 'The server asks for a password, and DATABASE_URL has none: postgres://user:password@host:5432/database.',
  },
  { code: /^ENOTFOUND$/, means: 'DATABASE_HOST', kind: 'config', hint: 'Check the host name in DATABASE_URL.' },
  {
    code: /^$/,
    message: /^The server does not support SSL connections/,
    means: 'DATABASE_TLS',
    kind: 'config',
    hint: 'Turn ssl on at the server, or set sslmode=disable in DATABASE_URL if the network in between is trusted.',
  },
  {
    code: /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    means: 'DATABASE_TLS',
    kind: 'config',
    hint: 'The certificate was issued for another host name: use that name in DATABASE_URL, or sslmode=verify-ca to accept any name.',
  },
  {
    code: /^CERT_(HAS_EXPIRED|NOT_YET_VALID)$/,
    means: 'DATABASE_TLS',
    kind: 'config',
    hint: 'Renew the certificate of the database, or correct the clock of this machine.',
  },
  {
    code: /^(SELF_SIGNED|DEPTH_ZERO|UNABLE_TO|CERT_|ERR_TLS|ERR_SSL|EPROTO)/,
    means: 'DATABASE_TLS',
    kind: 'config',
    hint: 'Name the certificate of the server’s authority with sslrootcert=FILE in DATABASE_URL, or use sslmode=require, which encrypts but verifies nothing.',
  },
  {
    code: /^25006$/,
    means: 'DATABASE_READ_ONLY',
    kind: 'retryable',
    hint: 'Make the database writable again, or let DATABASE_URL name the primary server; the next run loads the rest.',
  },
  {
    code: /^53100$/,
    means: 'DATABASE_DISK_FULL',
    kind: 'retryable',
    hint: 'Free space on the disk of the database; the next run loads the rest.',
  },
  {
    code: /^53200$/,
    message: /shared memory|max_locks_per_transaction/,
    means: 'DATABASE_OUT_OF_LOCKS',
    kind: 'retryable',
    hint: 'Raise max_locks_per_transaction of the server (256, say) and restart it: every partition that a statement touches takes locks.',
  },
  {
    code: /^53300$/,
    means: 'DATABASE_UNAVAILABLE',
    kind: 'retryable',
    hint: 'The server has no connection left: close some, or raise its max_connections. The next run loads the rest.',
  },
  {
    code: /^42501$/,
    means: 'DATABASE_FORBIDDEN',
    kind: 'fatal',
    hint: 'Grant what is missing; deploy/roles.sql has what the loader needs.',
  },
  {
    code: /^(42P01|3F000|42703)$/,
    means: 'DATABASE_SCHEMA',
    kind: 'fatal',
    hint: `Restore what was dropped or renamed; this lists all of it, with the statements: ${commandLine('doctor')}`,
  },
]

/**
 * Turns an error of pg into an EtlError: code and kind by SQLSTATE, with what to do. Values of rows, which Postgres puts
 * into messages, details and context, are left out. Our own errors, aborts, and what did not come from the database pass through.
 * @param doing what was being done, to follow "The database failed while"
 */
export function toEtlError(error: unknown, doing: string): unknown {
  if (error instanceof EtlError || isAbort(error)) return error
  const { code = '', message = '' } = (error ?? {}) as { code?: string; message?: string }
  const meaning = MEANINGS.find((each) => each.code.test(code) && (each.message?.test(message) ?? true))
  const isTransient = classify(error) === 'transient'
  if (!meaning && !isTransient && code === '') return error
  const reason = /^(22|23|54|P0)/.test(code) ? 'a value or row was refused' : message || 'no answer'
  const text = `The database failed while ${doing}: ${reason}${code ? ` (${code})` : ''}`
  if (meaning) return new EtlError(text, { code: meaning.means, kind: meaning.kind, hint: meaning.hint })
  if (isTransient) {
    return new EtlError(text, {
      code: 'DATABASE_UNAVAILABLE',
      kind: 'retryable',
      hint: 'Check that the database is running and reachable; the next run loads the rest.',
    })
  }
  return new EtlError(text, { code: 'DATABASE_ERROR', kind: 'fatal', hint: `Run: ${commandLine('doctor')}` })
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || error.name === 'Interrupted')
}

/**
 * Runs a query of the pipeline's own records: transient errors are retried.
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

/** Reads of the database for requests: shared between viewers, limited in time, and their failures put into words. */
import PQueue from 'p-queue'
import { EtlError } from '../errors.ts'

/**
 * A read whose result is shared by all callers for `keepMs` after it arrived, and which never runs twice at once: many viewers
 * cost as much as one, and a database that hangs gets one query. A failure is not kept.
 */
export function shareReads<Result>(
  read: () => Promise<Result>,
  keepMs: number,
  now: () => number = () => performance.now(),
): () => Promise<Result> {
  let last: { readonly promise: Promise<Result>; until: number } | null = null
  return () => {
    if (last && now() < last.until) return last.promise
    const current = { promise: read(), until: Number.POSITIVE_INFINITY }
    last = current
    current.promise.then(
      () => {
        current.until = now() + keepMs
      },
      () => {
        if (last === current) last = null
      },
    )
    return current.promise
  }
}

/** Reads at once of those that differ, so that the jobs keep their connections. */
const MAX_AT_ONCE = 2
/** Of reads that wait; a viewer who comes then tries again. */
const MAX_WAITING = 20
const MAX_KEYS = 200

/**
 * Reads as shareReads, one for each key: the same request is read once for all its callers, and others wait for their turn.
 * The function rejects with EtlError BUSY where too many wait.
 */
export function shareReadsByKey<Request, Result>(
  keyOf: (request: Request) => string,
  read: (request: Request) => Promise<Result>,
  keepMs: number,
): (request: Request) => Promise<Result> {
  const shared = new Map<string, () => Promise<Result>>()
  const queue = new PQueue({ concurrency: MAX_AT_ONCE })
  async function inTurn(request: Request): Promise<Result> {
    if (queue.size >= MAX_WAITING) {
      throw new EtlError('Too many pages are being read at once', {
        code: 'BUSY',
        kind: 'retryable',
        hint: 'Try again in a few seconds.',
      })
    }
    return await queue.add(() => read(request))
  }
  return (request) => {
    const key = keyOf(request)
    let one = shared.get(key)
    if (!one) {
      if (shared.size >= MAX_KEYS) shared.clear()
      one = shareReads(() => inTurn(request), keepMs)
      shared.set(key, one)
    }
    return one()
  }
}

/**
 * The result of a read of the database, unless it takes longer than `timeoutMs`. The read itself goes on.
 * @throws EtlError DATABASE_TIMEOUT
 */
export async function withDatabaseTimeout<Result>(timeoutMs: number, read: Promise<Result>): Promise<Result> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    reject(
      new EtlError(`The database has not answered within ${timeoutMs / 1000} s`, {
        code: 'DATABASE_TIMEOUT',
        kind: 'retryable',
        hint: 'Check whether it is overloaded or locked, and whether the network path to it is open.',
      }),
    )
  }, timeoutMs)
  try {
    return await Promise.race([read, promise])
  } finally {
    clearTimeout(timer)
  }
}

/** Message and hint of an expected error. The message of an unexpected one is withheld: it may contain anything. */
export function describeError(error: unknown): string {
  if (!(error instanceof EtlError)) return 'An unexpected error; see the log.'
  return error.hint ? `${error.message}. ${error.hint}` : error.message
}

/** Errors whose message names neither host nor user nor database. */
const PUBLIC_CODES = /^(SCHEMA_BEHIND|SCHEMA_NEWER|DATABASE_TIMEOUT|JOB_STUCK)$/

/** Why the service is not ready, for readers without a token: messages of the driver name host, user and database. */
export function describePublicly(error: unknown): string {
  if (!(error instanceof EtlError)) return 'an unexpected error; see the log'
  return PUBLIC_CODES.test(error.code)
    ? describeError(error)
    : `the database is not usable (${error.code}); see the log`
}

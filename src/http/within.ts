import { EtlError } from '../errors.ts'

/** What `work` resolves to, unless that takes longer than so many milliseconds: then it is left to itself. Throws NOT_IN_TIME. */
export async function within<Result>(milliseconds: number, work: Promise<Result>): Promise<Result> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    const hint = 'See whether it is overloaded or locked, and whether the network lets us through.'
    const message = `The database has not answered within ${milliseconds / 1000} s`
    reject(new EtlError(message, { code: 'NOT_IN_TIME', kind: 'retryable', hint }))
  }, milliseconds)
  try {
    return await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
  }
}

/** The message of an error that the pipeline expects; of any other nothing, since nobody vouches for what it holds. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof EtlError)) return 'An unexpected error; the log says more.'
  return error.hint ? `${error.message}. ${error.hint}` : error.message
}

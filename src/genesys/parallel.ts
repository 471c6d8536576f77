/**
 * Runs `work` for each item, at most `concurrency` at once. The first failure aborts the signal that the others got, and is
 * thrown when all have ended: nothing of ours is in flight after that.
 */
export async function forEachParallel<T>(
  items: Iterable<T>,
  concurrency: number,
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController()
  const stopWithCaller = (): void => stop.abort(signal.reason)
  signal.throwIfAborted()
  signal.addEventListener('abort', stopWithCaller, { once: true })
  const failures: unknown[] = []
  const queue = items[Symbol.iterator]()

  async function worker(): Promise<void> {
    for (let next = queue.next(); !next.done && !stop.signal.aborted; next = queue.next()) {
      try {
        await work(next.value, stop.signal)
      } catch (error) {
        failures.push(error)
        stop.abort(error)
      }
    }
  }

  try {
    await Promise.all(Array.from({ length: Math.max(1, concurrency) }, worker))
  } finally {
    signal.removeEventListener('abort', stopWithCaller)
  }
  signal.throwIfAborted()
  if (failures.length > 0) throw failures[0]
}

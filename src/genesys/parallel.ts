import pMap from 'p-map'

/**
 * Runs `work` for each item, at most `concurrency` at once. The first failure aborts the signal that the others got, and is
 * thrown when all have ended: nothing of ours is in flight after that.
 */
export async function forEachParallel<Item>(
  items: Iterable<Item>,
  concurrency: number,
  signal: AbortSignal,
  work: (item: Item, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  signal.throwIfAborted()
  const stop = new AbortController()
  const stopWithCaller = (): void => stop.abort(signal.reason)
  signal.addEventListener('abort', stopWithCaller, { once: true })
  const failures: unknown[] = []
  const unlessStopped = async (item: Item): Promise<void> => {
    if (stop.signal.aborted) return
    try {
      await work(item, stop.signal)
    } catch (error) {
      failures.push(error)
      stop.abort(error)
    }
  }
  try {
    await pMap(items, unlessStopped, { concurrency })
  } finally {
    signal.removeEventListener('abort', stopWithCaller)
  }
  signal.throwIfAborted()
  if (failures.length > 0) throw failures[0]
}

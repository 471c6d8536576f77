/** Turns pages as they arrive into batches for the loader, with bounded memory. */
import type PQueue from 'p-queue'
import type { GenesysClient } from '../genesys/client.ts'
import type { LoadCounts } from '../loader/load-counts.ts'
import type { FetchedConversation } from '../loader/load.ts'

/** Collects the conversations of one window and loads them in batches. */
export interface LoadQueue {
  /**
   * Takes conversations; resolves when their full batches are being written.
   * @throws the error of an earlier batch
   */
  add(conversations: readonly FetchedConversation[]): Promise<void>
  /**
   * Loads the rest and waits until every batch has committed; returns the counts of each.
   * @throws the error of any batch
   */
  drain(): Promise<readonly LoadCounts[]>
  /** Drops the rest and waits for the batches that are being written, however they end: for a window that failed. */
  abandon(): Promise<void>
}

/** A queue that writes batches of `batchSize` through `load`; the windows of a run share `writes`, which bounds how many at once. */
export function createLoadQueue(options: {
  readonly batchSize: number
  readonly writes: PQueue
  readonly load: (batch: readonly FetchedConversation[]) => Promise<LoadCounts>
}): LoadQueue {
  const { batchSize, writes, load } = options
  const counts: LoadCounts[] = []
  const running = new Set<Promise<void>>()
  const failures: unknown[] = []
  let pending: FetchedConversation[] = []
  let isAbandoned = false

  /** Resolves when the batch is being written. */
  const start = async (batch: readonly FetchedConversation[]): Promise<void> => {
    const started = Promise.withResolvers<void>()
    const write = writes.add(async () => {
      started.resolve()
      if (isAbandoned) return
      try {
        counts.push(await load(batch))
      } catch (error) {
        failures.push(error)
      }
    })
    running.add(write)
    void write.finally(() => running.delete(write))
    await started.promise
  }
  const throwIfFailed = (): void => {
    if (failures.length > 0) throw failures[0]
  }

  return {
    async add(conversations) {
      throwIfFailed()
      pending.push(...conversations)
      while (pending.length >= batchSize) await start(pending.splice(0, batchSize))
    },
    async drain() {
      const rest = pending
      pending = []
      if (rest.length > 0 && failures.length === 0) await start(rest)
      await Promise.all(running)
      throwIfFailed()
      return counts
    },
    async abandon() {
      isAbandoned = true
      pending = []
      await Promise.all(running)
    },
  }
}

/** The same client, which sends nothing while a batch waits to be written: a slow Postgres then costs time, not memory. */
export function withBackpressure(genesys: GenesysClient, writes: PQueue): GenesysClient {
  return {
    async request(request) {
      await writes.onSizeLessThan(1)
      return await genesys.request(request)
    },
    close: () => genesys.close(),
  }
}

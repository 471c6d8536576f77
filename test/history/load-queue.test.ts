import PQueue from 'p-queue'
import { expect, test } from 'vitest'
import { createLoadQueue, withBackpressure } from '../../src/history/load-queue.ts'
import { emptyLoadCounts } from '../../src/loader/load-counts.ts'
import type { GenesysClient } from '../../src/genesys/client.ts'
import type { FetchedConversation } from '../../src/loader/load.ts'
import { never } from '../genesys/support.ts'

/** A loader whose batches end when the test says so. */
function scriptedLoader() {
  const batches: { readonly ids: string[]; end(): void; fail(error: Error): void }[] = []
  const load = async (records: readonly FetchedConversation[]) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    batches.push({ ids: records.map(({ conversation }) => String(conversation)), end: resolve, fail: reject })
    await promise
    return { ...emptyLoadCounts(), received: records.length }
  }
  return { batches, load }
}

const fetched = (...ids: string[]): FetchedConversation[] =>
  ids.map((conversation) => ({ conversation, fetchedAt: '2026-01-01T00:00:00.000Z' }))

/** Whether a promise is settled once everything that can go on has gone on. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false
  void promise.then(
    () => (settled = true),
    () => (settled = true),
  )
  await new Promise((resolve) => {
    setImmediate(resolve)
  })
  return settled
}

test('gathers records into full batches, in the order in which they came, and loads the rest at the end', async () => {
  const { batches, load } = scriptedLoader()
  const queue = createLoadQueue({ batchSize: 3, writes: new PQueue({ concurrency: 9 }), load })
  await queue.add(fetched('a', 'b'))
  expect(batches).toEqual([])
  await queue.add(fetched('c', 'd', 'e', 'f', 'g', 'h'))
  expect(batches.map(({ ids }) => ids.join(''))).toEqual(['abc', 'def'])
  const drained = queue.drain()
  await isSettled(drained)
  expect(batches.map(({ ids }) => ids.join(''))).toEqual(['abc', 'def', 'gh'])
  for (const batch of batches) batch.end()
  expect((await drained).map(({ received }) => received).sort((a, b) => a - b)).toEqual([2, 3, 3])
})

test('holds the reader back while as many batches are being written as may be', async () => {
  const { batches, load } = scriptedLoader()
  const queue = createLoadQueue({ batchSize: 1, writes: new PQueue({ concurrency: 2 }), load })
  await queue.add(fetched('a', 'b'))
  const third = queue.add(fetched('c'))
  expect(await isSettled(third)).toBe(false)
  expect(batches).toHaveLength(2)
  batches[0]?.end()
  await third
  expect(batches.map(({ ids }) => ids.join(''))).toEqual(['a', 'b', 'c'])
  for (const batch of batches) batch.end()
  await queue.drain()
})

test('shares the limit with the queues of other windows', async () => {
  const { batches, load } = scriptedLoader()
  const writes = new PQueue({ concurrency: 1 })
  const one = createLoadQueue({ batchSize: 1, writes, load })
  const other = createLoadQueue({ batchSize: 1, writes, load })
  await one.add(fetched('a'))
  const waiting = other.add(fetched('b'))
  expect(await isSettled(waiting)).toBe(false)
  batches[0]?.end()
  await waiting
  batches[1]?.end()
  await Promise.all([one.drain(), other.drain()])
})

test('ends only when every batch has committed', async () => {
  const { batches, load } = scriptedLoader()
  const queue = createLoadQueue({ batchSize: 1, writes: new PQueue({ concurrency: 2 }), load })
  await queue.add(fetched('a', 'b'))
  const drained = queue.drain()
  batches[1]?.end()
  expect(await isSettled(drained)).toBe(false)
  batches[0]?.end()
  expect(await drained).toHaveLength(2)
})

test('throws the failure of a batch at the next call, loads nothing more, and lets other batches be written', async () => {
  const { batches, load } = scriptedLoader()
  const writes = new PQueue({ concurrency: 1 })
  const queue = createLoadQueue({ batchSize: 1, writes, load })
  await queue.add(fetched('a'))
  batches[0]?.fail(new Error('refused'))
  await expect(queue.drain()).rejects.toThrow('refused')
  await expect(queue.add(fetched('b'))).rejects.toThrow('refused')
  await expect(queue.drain()).rejects.toThrow('refused')
  expect(batches).toHaveLength(1)
  expect(await isSettled(writes.add(async () => {}))).toBe(true)
})

test('waits for the other batches before it throws the failure of one', async () => {
  const { batches, load } = scriptedLoader()
  const queue = createLoadQueue({ batchSize: 1, writes: new PQueue({ concurrency: 2 }), load })
  await queue.add(fetched('a', 'b'))
  const drained = queue.drain()
  batches[0]?.fail(new Error('refused'))
  expect(await isSettled(drained)).toBe(false)
  batches[1]?.end()
  await expect(drained).rejects.toThrow('refused')
})

test('starts nothing after it is abandoned, not even a batch that was waiting for its turn', async () => {
  const { batches, load } = scriptedLoader()
  const writes = new PQueue({ concurrency: 1 })
  const queue = createLoadQueue({ batchSize: 1, writes, load })
  await queue.add(fetched('a'))
  const waiting = queue.add(fetched('b'))
  const left = queue.abandon()
  batches[0]?.end()
  await Promise.all([left, waiting])
  expect(batches.map(({ ids }) => ids.join(''))).toEqual(['a'])
  expect(await isSettled(writes.add(async () => {}))).toBe(true)
})

test('a client with backpressure sends nothing while a batch waits to be written, whichever window it is of', async () => {
  const { batches, load } = scriptedLoader()
  const writes = new PQueue({ concurrency: 1 })
  const one = createLoadQueue({ batchSize: 2, writes, load })
  const other = createLoadQueue({ batchSize: 2, writes, load })
  const client = { request: async () => ({ data: {}, sentAt: 0 }), close() {} } as unknown as GenesysClient
  const reader = withBackpressure(client, writes)
  const request = { method: 'GET', path: '/', endpoint: 'test', priority: 'history', signal: never } as const
  await one.add(fetched('a', 'b', 'c'))
  expect(await isSettled(reader.request(request))).toBe(true)
  const second = other.add(fetched('d', 'e'))
  const sent = reader.request(request)
  expect(await isSettled(sent)).toBe(false)
  batches[0]?.end()
  await Promise.all([second, sent])
  batches[1]?.end()
  await Promise.all([one.abandon(), other.drain()])
})

test('can be abandoned without loading the rest, but waits for what is being written', async () => {
  const { batches, load } = scriptedLoader()
  const queue = createLoadQueue({ batchSize: 2, writes: new PQueue({ concurrency: 2 }), load })
  await queue.add(fetched('a', 'b', 'c'))
  const left = queue.abandon()
  expect(await isSettled(left)).toBe(false)
  batches[0]?.fail(new Error('refused'))
  await left
  expect(batches.map(({ ids }) => ids.join(''))).toEqual(['ab'])
})

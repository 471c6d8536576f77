import { expect, test } from 'vitest'
import { shareReads, shareReadsByKey, withDatabaseTimeout } from '../../src/http/database-reads.ts'

test('many viewers share one read, which is repeated once it is old', async () => {
  let now = 0
  let reads = 0
  const read = shareReads(
    () => Promise.resolve(++reads),
    1000,
    () => now,
  )
  expect(await Promise.all([read(), read(), read()])).toEqual([1, 1, 1])
  now = 999
  expect(await read()).toBe(1)
  now = 1000
  expect(await read()).toBe(2)
})

test('a read that hangs is not started a second time', async () => {
  const { promise, resolve } = Promise.withResolvers<string>()
  let reads = 0
  const read = shareReads(() => (++reads, promise), 0)
  await expect(withDatabaseTimeout(10, read())).rejects.toMatchObject({ code: 'DATABASE_TIMEOUT' })
  await expect(withDatabaseTimeout(10, read())).rejects.toMatchObject({ code: 'DATABASE_TIMEOUT' })
  resolve('late')
  expect(await read()).toBe('late')
  expect(reads).toBe(1)
})

test('a failure is not kept', async () => {
  let reads = 0
  const read = shareReads(() => (++reads === 1 ? Promise.reject(new Error('once')) : Promise.resolve(reads)), 1000)
  await expect(read()).rejects.toThrow('once')
  expect(await read()).toBe(2)
})

test('reads of different keys take turns, and the same key is read once for all its callers', async () => {
  const started: string[] = []
  const finish = new Map<string, () => void>()
  const read = shareReadsByKey(
    (key: string) => key,
    (key) => {
      started.push(key)
      return new Promise<string>((resolve) => finish.set(key, () => resolve(key)))
    },
    0,
  )
  const all = Promise.all(['a', 'a', 'b', 'c', 'c'].map(read))
  await expect.poll(() => started).toEqual(['a', 'b'])
  finish.get('a')!()
  await expect.poll(() => started).toEqual(['a', 'b', 'c'])
  finish.get('b')!()
  finish.get('c')!()
  expect(await all).toEqual(['a', 'a', 'b', 'c', 'c'])
})

test('a read is refused while too many others wait, and possible again afterwards', async () => {
  const { promise, resolve } = Promise.withResolvers<string>()
  const read = shareReadsByKey(String, () => promise, 0)
  const waiting = Array.from({ length: 22 }, (_, index) => read(index))
  await expect(read(22)).rejects.toMatchObject({ code: 'BUSY', kind: 'retryable' })
  resolve('done')
  expect(await Promise.all(waiting)).toHaveLength(22)
  expect(await read(22)).toBe('done')
})

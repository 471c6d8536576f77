import { expect, test } from 'vitest'
import { shareReads, withDatabaseTimeout } from '../../src/http/database-reads.ts'

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

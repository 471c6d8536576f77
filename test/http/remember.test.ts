import { expect, test } from 'vitest'
import { remember } from '../../src/http/remember.ts'
import { within } from '../../src/http/within.ts'

test('many viewers cost one reading, which is made again once it is old', async () => {
  let now = 0
  let readings = 0
  const read = remember(
    () => Promise.resolve(++readings),
    1000,
    () => now,
  )
  expect(await Promise.all([read(), read(), read()])).toEqual([1, 1, 1])
  now = 999
  expect(await read()).toBe(1)
  now = 1000
  expect(await read()).toBe(2)
})

test('a reading that hangs is not begun a second time', async () => {
  const { promise, resolve } = Promise.withResolvers<string>()
  let readings = 0
  const read = remember(() => (++readings, promise), 0)
  await expect(within(10, read())).rejects.toMatchObject({ code: 'NOT_IN_TIME' })
  await expect(within(10, read())).rejects.toMatchObject({ code: 'NOT_IN_TIME' })
  resolve('late')
  expect(await read()).toBe('late')
  expect(readings).toBe(1)
})

test('a failure is not handed out again', async () => {
  let readings = 0
  const read = remember(() => (++readings === 1 ? Promise.reject(new Error('once')) : Promise.resolve(readings)), 1000)
  await expect(read()).rejects.toThrow('once')
  expect(await read()).toBe(2)
})

import { expect, test } from 'vitest'
import { isLoopback } from '../src/loopback.ts'

test.each(['localhost', 'LOCALHOST', 'etl.localhost', '127.0.0.1', '127.255.0.3', '[::1]', '::1'])(
  '%s is this machine',
  (hostname) => expect(isLoopback(hostname)).toBe(true),
)

test.each(['0.0.0.0', '::', '10.0.0.1', 'localhost.example.com', '127.0.0.1.example.com', 'mylocalhost', ''])(
  '%j is not only this machine',
  (hostname) => expect(isLoopback(hostname)).toBe(false),
)

/** Many more reads than `npm test` has time for. */
import { test } from 'vitest'
import { expectConsistentReads } from '../support/consistent-reads.ts'

test('a thousand reads during two hundred snapshots each see one whole snapshot', () =>
  expectConsistentReads(200, 1000))

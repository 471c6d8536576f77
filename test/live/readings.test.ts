import { expect, test } from 'vitest'
import { plausibilityOfUnknown, type Plausibility } from '../../src/live/readings.ts'

const minutes = (count: number): number => count * 60_000

const cases: readonly [name: string, unknown: number, open: number, implausibleForMs: number | null, Plausibility][] = [
  ['nothing unknown', 0, 100, null, 'plausible'],
  ['nothing open before', 0, 0, null, 'plausible'],
  ['all of a few', 19, 19, null, 'plausible'],
  ['all of not so few', 20, 20, null, 'implausible'],
  ['many, but not most of what was open', 5000, 10_000, null, 'plausible'],
  ['most of what was open', 5001, 10_000, null, 'implausible'],
  ['most, again a minute later', 60, 100, minutes(1), 'implausible'],
  ['most, still not for long enough', 60, 100, minutes(5) - 1, 'implausible'],
  ['most, and for five minutes', 60, 100, minutes(5), 'accepted'],
  ['all, and for an hour', 100, 100, minutes(60), 'accepted'],
  ['few, after implausible snapshots', 3, 100, minutes(60), 'plausible'],
]

test.each(cases)(
  '%s: %i of %i unknown, implausible for %s ms: %s',
  (_name, unknown, open, implausibleForMs, verdict) => {
    expect(plausibilityOfUnknown(unknown, open, implausibleForMs)).toBe(verdict)
  },
)

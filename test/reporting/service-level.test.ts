import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addFigure, compareCells, type CellKey, type Cells } from '../../src/reporting/compare-cells.ts'
import {
  addServiceLevel,
  allSettings,
  deriveSwitches,
  differingSwitches,
  noEvidence,
  observeSwitches,
  SWITCHES,
  type ServiceLevelSettings,
} from '../../src/reporting/service-level.ts'

const defaults: ServiceLevelSettings = {
  service_level_includes_abandons: true,
  service_level_includes_short_abandons: false,
  service_level_includes_flow_outs: false,
}

interface Counts {
  readonly answered: number
  readonly over: number
  readonly abandoned: number
  readonly short: number
  readonly flowOuts: number
}

/** Cells with these counts, one interval after the other. */
function cellsOf(...all: readonly Partial<Counts>[]): Cells {
  const cells: Cells = new Map()
  all.forEach(({ answered = 0, over = 0, abandoned = 0, short = 0, flowOuts = 0 }, index) => {
    const key: CellKey = { intervalStart: new Date(index * 1_800_000), queueId: 'q', mediaType: 'voice', userId: null }
    addFigure(cells, key, 'tAnswered.count', BigInt(answered))
    addFigure(cells, key, 'nOverSla.count', BigInt(over))
    addFigure(cells, key, 'tAbandon.count', BigInt(abandoned))
    addFigure(cells, key, 'tShortAbandon.count', BigInt(short))
    addFigure(cells, key, 'tFlowOut.count', BigInt(flowOuts))
  })
  return cells
}

/** The same as Genesys has them, with a service level by hand: as its help describes each setting. */
function theirs(settings: ServiceLevelSettings, ...all: readonly Partial<Counts>[]): Cells {
  const cells = cellsOf(...all)
  all.forEach(({ answered = 0, over = 0, abandoned = 0, short = 0, flowOuts = 0 }, index) => {
    let denominator = answered
    if (settings.service_level_includes_abandons) denominator += abandoned
    if (settings.service_level_includes_abandons && !settings.service_level_includes_short_abandons)
      denominator -= short
    if (settings.service_level_includes_flow_outs) denominator += flowOuts
    const key: CellKey = { intervalStart: new Date(index * 1_800_000), queueId: 'q', mediaType: 'voice', userId: null }
    addFigure(cells, key, 'oServiceLevel.numerator', BigInt(answered - over))
    addFigure(cells, key, 'oServiceLevel.denominator', BigInt(denominator))
  })
  return cells
}

const arbitraryCounts = fc
  .record({
    answered: fc.nat(9),
    over: fc.nat(9),
    abandoned: fc.nat(5),
    short: fc.nat(5),
    flowOuts: fc.nat(3),
  })
  .map((counts) => ({
    ...counts,
    over: Math.min(counts.over, counts.answered),
    short: Math.min(counts.short, counts.abandoned),
  }))

/** One group for each switch, in which nothing but what it is about has happened. */
const decisive = [
  { answered: 5, abandoned: 3 },
  { answered: 5, abandoned: 3, short: 2 },
  { answered: 5, flowOuts: 2 },
]

describe('the switches of the service level', () => {
  test.each(allSettings)('are found where each has something to say: %o', (settings) => {
    const derived = deriveSwitches(observeSwitches(noEvidence, theirs(settings, ...decisive)), defaults)
    expect(derived.switches).toEqual({
      ...settings,
      // where no abandon counts, nothing tells whether short ones would
      ...(settings.service_level_includes_abandons ? {} : { service_level_includes_short_abandons: null }),
    })
    expect(derived).toMatchObject({ groups: 3, contradicted: 0 })
    expect(differingSwitches(derived, defaults)).toEqual(
      SWITCHES.filter((name) => derived.switches[name] !== null && settings[name] !== defaults[name]),
    )
  })

  test('are left open where nothing that they are about has happened', () => {
    const settings = { ...defaults, service_level_includes_flow_outs: true }
    const derived = deriveSwitches(
      observeSwitches(noEvidence, theirs(settings, { answered: 4, abandoned: 1 })),
      defaults,
    )
    expect(derived.switches).toEqual({
      service_level_includes_abandons: true,
      service_level_includes_short_abandons: null,
      service_level_includes_flow_outs: null,
    })
    expect(derived.settings).toEqual(defaults)
    expect(differingSwitches(derived, defaults)).toEqual([])
  })

  test('are those of the settings where there is no group, or none that tells', () => {
    for (const cells of [new Map() as Cells, theirs(defaults, { answered: 3, over: 1 })]) {
      const derived = deriveSwitches(observeSwitches(noEvidence, cells), defaults)
      expect(derived).toMatchObject({ groups: 0, contradicted: 0, settings: defaults })
      expect(Object.values(derived.switches)).toEqual([null, null, null])
    }
  })

  test('are those of most groups, and the others are counted', () => {
    const cells = theirs(defaults, ...decisive, { answered: 5, abandoned: 1 })
    const odd = [...cells.values()].at(-1)!
    addFigure(cells, odd.key, 'oServiceLevel.denominator', 3n)
    const derived = deriveSwitches(observeSwitches(noEvidence, cells), defaults)
    expect(derived).toMatchObject({ settings: defaults, groups: 4, contradicted: 1 })
  })

  test('explain every group of an organization that has them, whichever they are', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...allSettings),
        fc.constantFrom(...allSettings),
        fc.array(arbitraryCounts, { maxLength: 8 }),
        (settings, current, all) => {
          const genesys = theirs(settings, ...all)
          const derived = deriveSwitches(observeSwitches(noEvidence, genesys), current)
          expect(derived.contradicted).toBe(0)
          for (const name of SWITCHES)
            if (derived.switches[name] !== null && (name !== SWITCHES[1] || settings[SWITCHES[0]]))
              expect(derived.switches[name]).toBe(settings[name])
          // the same counts with the derived settings have the same service level
          const ours = cellsOf(...all)
          addServiceLevel(ours, derived.settings)
          expect(compareCells(ours, genesys)).toEqual([])
        },
      ),
    )
  })

  test('of several days add up', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...allSettings),
        fc.array(arbitraryCounts),
        fc.array(arbitraryCounts),
        (settings, a, b) => {
          const apart = observeSwitches(observeSwitches(noEvidence, theirs(settings, ...a)), theirs(settings, ...b))
          expect(apart).toEqual(observeSwitches(noEvidence, theirs(settings, ...a, ...b)))
        },
      ),
    )
  })

  test('say nothing about users', () => {
    const cells = theirs(defaults, ...decisive)
    const ofUsers: Cells = new Map()
    for (const { key, figures } of cells.values())
      for (const [figure, value] of figures) addFigure(ofUsers, { ...key, userId: 'u' }, figure, value)
    expect(observeSwitches(noEvidence, ofUsers)).toEqual(noEvidence)
    const before = compareCells(ofUsers, new Map()).length
    addServiceLevel(ofUsers, defaults)
    expect(compareCells(ofUsers, new Map())).toHaveLength(before)
  })
})

test('the service level of a group with abandons of every kind, by hand', () => {
  // 10 answered, 2 of them too late, 4 abandoned, 1 of them short, 3 flowed out: (10 - 2) / (10 + 4 - 1) by default
  const counts = { answered: 10, over: 2, abandoned: 4, short: 1, flowOuts: 3 }
  const level = (changes: Partial<ServiceLevelSettings>): [bigint | undefined, bigint | undefined] => {
    const cells = cellsOf(counts)
    addServiceLevel(cells, { ...defaults, ...changes })
    const figures = cells.values().next().value?.figures
    return [figures?.get('oServiceLevel.numerator'), figures?.get('oServiceLevel.denominator')]
  }
  expect(level({})).toEqual([8n, 13n])
  expect(level({ service_level_includes_short_abandons: true })).toEqual([8n, 14n])
  expect(level({ service_level_includes_flow_outs: true })).toEqual([8n, 16n])
  expect(level({ service_level_includes_abandons: false })).toEqual([8n, 10n])
})

import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { chartTable, qualityChart, volumeChart } from '../../src/http/views/report-chart.ts'
import type { Figures, Point, Report } from '../../src/reporting/report-query.ts'
import { FIGURES_OF, GROUPINGS, type FigureName } from '../../src/reporting/report-request.ts'
import { shiftDay, slotsOf } from '../../src/reporting/report-range.ts'

const NAMES: readonly FigureName[] = [...new Set([...FIGURES_OF.queue, ...FIGURES_OF.agent])]
const RATES: ReadonlySet<FigureName> = new Set(['abandon_rate', 'service_level', 'transfer_rate'])

const figures: fc.Arbitrary<Figures | null> = fc.option(
  fc.record(
    Object.fromEntries(
      NAMES.map((name) => [
        name,
        fc.option(RATES.has(name) ? fc.double({ min: 0, max: 1, noNaN: true }) : fc.nat({ max: 2_000_000 })),
      ]),
    ) as Record<FigureName, fc.Arbitrary<number | null>>,
  ),
)
const points: fc.Arbitrary<Point[]> = fc
  .record({
    length: fc.integer({ min: 1, max: 30 }),
    all: fc.array(fc.tuple(figures, figures), { minLength: 48, maxLength: 48 }),
  })
  .map(({ length, all }) => {
    const days = { first: '2026-03-12', last: shiftDay('2026-03-12', length - 1) }
    return slotsOf(days, length === 1 ? '30-minutes' : '1-day', 1).map((slot, index) => ({
      slot,
      figures: all[index]![0],
      before: all[index]![1],
    }))
  })
const reportOf = (all: readonly Point[]): Report =>
  ({
    points: all,
    comparison: { first: '2026-03-05', last: '2026-03-05' },
    isBeforeComplete: true,
  }) as unknown as Report

test('whatever the numbers, charts stay in their box and have a label, a step and a text for each of them', () => {
  fc.assert(
    fc.property(points, fc.constantFrom(...GROUPINGS), (all, by) => {
      const report = reportOf(all)
      const volume = String(volumeChart(report, by))
      const quality = String(qualityChart(report, by))
      for (const svg of [volume, quality]) {
        expect(svg).not.toMatch(/NaN|Infinity|undefined|null/)
        for (const [, path = ''] of svg.matchAll(/class="(?:before|current)" d="([^"]*)"/g)) {
          for (const [, y] of path.matchAll(/(?:V|M[\d.]+ )(-?[\d.]+)/g)) {
            expect(Number(y)).toBeGreaterThanOrEqual(0)
            expect(Number(y)).toBeLessThanOrEqual(150)
          }
        }
      }
      for (const [, y, height] of volume.matchAll(
        /class="volume"[^>]*?y="([^"]*)"\s+width="[^"]*" height="([^"]*)"/g,
      )) {
        expect(Number(y) + Number(height)).toBeCloseTo(150, 0)
      }
      expect(volume.match(/<title>/g)).toHaveLength(all.length)
      expect(volume.match(/class="volume"/g)).toHaveLength(all.length)
    }),
    { numRuns: 50 },
  )
})

test('the table has every step in which anything counts', () => {
  fc.assert(
    fc.property(points, fc.constantFrom(...GROUPINGS), (all, by) => {
      const rows = String(chartTable(reportOf(all), by)).match(/<th scope="row">/g) ?? []
      expect(rows).toHaveLength(all.filter(({ figures, before }) => figures ?? before).length)
    }),
    { numRuns: 50 },
  )
})

test('a mean that is missing interrupts its steps', () => {
  const withLevel = (level: number | null): Figures =>
    ({ ...Object.fromEntries(NAMES.map((name) => [name, 0])), service_level: level }) as Figures
  const all = [1, 0.5, null, 0].map((level, index): Point => ({
    slot: `2026-03-1${index}`,
    figures: withLevel(level),
    before: null,
  }))
  const svg = String(qualityChart(reportOf(all), 'queue'))
  expect(svg).toContain('class="current" d="M0 0H150V75H300M450 150H600"')
  expect(svg).toContain('nothing counts on Thu 5 Mar')
  const negative: Point = { slot: '2026-03-10', figures: withLevel(-1), before: null }
  expect(String(qualityChart(reportOf([negative]), 'queue'))).toContain('class="current" d="M0 150H600"')
})

/** The results of the bench, and how they are printed. */
import type { CeilingUse } from './ceiling.ts'
import type { LoadResult } from './load-process.ts'
import type { ReportingResult } from './reporting.ts'

export interface Measured {
  readonly load?: {
    readonly conversations: number
    readonly rows: number
    /** One per round, like the lists below. */
    readonly copySeconds: readonly number[]
    readonly first: readonly LoadResult[]
    readonly again: readonly LoadResult[]
    /** Tuples that all re-loads together wrote into schema genesys. */
    readonly reloadTuples: number
    /** Scaled from `insertedRows` to all rows. */
    readonly insertSeconds: number
    readonly insertedRows: number
  }
  /** N conversations, and ten times as many. */
  readonly memory?: { readonly one: LoadResult; readonly ten: LoadResult }
  /** First loads of the same days by either source, and one by jobs of five times as many days. */
  readonly jobs?: {
    readonly query: readonly LoadResult[]
    readonly jobs: readonly LoadResult[]
    readonly larger: LoadResult
  }
  readonly reporting?: ReportingResult
  readonly ceiling?: readonly (CeilingUse & { readonly latencyMs: number; readonly violations: number })[]
}

type Line = readonly [what: string, figure: string, target: string, note: string]

/** The median: the middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const upper = sorted[Math.floor(sorted.length / 2)] ?? NaN
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN
  return (lower + upper) / 2
}

/**
 * Prints the figures as a table.
 * @param stolenShare share of the machine's time that its host gave to others during the bench; null when unknown
 */
export function printTable(measured: Measured, stolenShare: number | null): void {
  const lines: Line[] = [
    ['', 'figure', 'target', ''],
    ...loadLines(measured),
    ...memoryLines(measured),
    ...jobsLines(measured),
    ...ceilingLines(measured),
    ...reportingLines(measured),
    [
      'time stolen by the host',
      stolenShare === null ? '' : percent(stolenShare),
      '',
      'the less, the more reliable the ratios',
    ],
  ]
  const widths = [0, 1, 2].map((column) => Math.max(...lines.map((line) => line[column]!.length)))
  for (const line of lines)
    console.log(
      line
        .map((cell, column) => (column === 1 ? cell.padStart(widths[1]!) : cell.padEnd(widths[column] ?? 0)))
        .join('  '),
    )
}

function loadLines({ load }: Measured): Line[] {
  if (!load) return []
  const { conversations, rows, copySeconds, first, again, insertSeconds } = load
  const firstSeconds = first.map((result) => result.seconds)
  const againSeconds = again.map((result) => result.seconds)
  const perSecond = (count: number, seconds: readonly number[]): string => whole(count / median(seconds))
  return [
    [
      'first load ÷ raw COPY of its rows',
      ratio(pairwise(firstSeconds, copySeconds)),
      '≤ 1.6',
      `${spread(firstSeconds)} : ${spread(copySeconds)}`,
    ],
    [
      'one INSERT per row ÷ first load',
      ratio(insertSeconds / median(firstSeconds)),
      '',
      `${insertSeconds.toFixed(0)} s, scaled from ${whole(load.insertedRows)} rows`,
    ],
    ['unchanged re-load ÷ first load', ratio(pairwise(againSeconds, firstSeconds)), '≤ 0.33', spread(againSeconds)],
    ['tuples written by the re-loads', whole(load.reloadTuples), '0', ''],
    ['conversations per second, first load', perSecond(conversations, firstSeconds), '', `of ${whole(conversations)}`],
    ['rows per second, first load', perSecond(rows, firstSeconds), '', `of ${whole(rows)}`],
    ['conversations per second, re-load', perSecond(conversations, againSeconds), '', ''],
    [
      'CPU of our process, first load',
      `${median(first.map((result) => result.cpuSeconds)).toFixed(1)} s`,
      '',
      'without Postgres and the simulator',
    ],
  ]
}

function memoryLines({ memory, load }: Measured): Line[] {
  const lines: Line[] = []
  if (load)
    lines.push([
      'peak memory, first load',
      mb(Math.max(...load.first.map((result) => result.peakMb))),
      '≤ 300 MB',
      'the largest of all rounds',
    ])
  if (!memory) return lines
  const { one, ten } = memory
  return [
    ...lines,
    [
      `peak memory, ${whole(one.counts.received)} conversations`,
      mb(one.peakMb),
      '≤ 300 MB',
      `${mb(one.startMb)} before the job begins`,
    ],
    [
      `peak memory, ${whole(ten.counts.received)} conversations`,
      mb(ten.peakMb),
      '≤ 300 MB',
      `${ten.seconds.toFixed(0)} s`,
    ],
    ['peak memory, ten times as many ÷ once', ratio(ten.peakMb / one.peakMb), '≤ 1.1', ''],
  ]
}

function jobsLines({ jobs: measured }: Measured): Line[] {
  if (!measured) return []
  const { query, jobs, larger } = measured
  const secondsOf = (results: readonly LoadResult[]): number[] => results.map(({ seconds }) => seconds)
  const perSecond = (results: readonly LoadResult[]): string =>
    whole(median(results.map(({ seconds, counts }) => counts.inserted / seconds)))
  const requestsOf = (results: readonly LoadResult[]): string => `${whole(results[0]!.requests)} pages`
  return [
    ['conversations per second, first load by jobs', perSecond(jobs), '', requestsOf(jobs)],
    ['conversations per second, first load by query', perSecond(query), '', requestsOf(query)],
    ['first load by jobs ÷ by query', ratio(pairwise(secondsOf(jobs), secondsOf(query))), '', spread(secondsOf(jobs))],
    [
      'peak memory, first load by jobs',
      mb(Math.max(...jobs.map(({ peakMb }) => peakMb))),
      '',
      `by query ${mb(Math.max(...query.map(({ peakMb }) => peakMb)))}`,
    ],
    [
      'peak memory, five times as many ÷ once',
      ratio(larger.peakMb / Math.max(...jobs.map(({ peakMb }) => peakMb))),
      '≤ 1.1',
      `${mb(larger.peakMb)}, ${whole(larger.counts.received)} conversations`,
    ],
  ]
}

function ceilingLines({ ceiling = [] }: Measured): Line[] {
  return ceiling.flatMap(({ latencyMs, share, densest, violations, requests }): Line[] => [
    [`our request limit used, answers after ${latencyMs / 1000} s`, percent(share), '≥ 95 %', `${requests} requests`],
    ['  maximum in any window', percent(densest), '', 'as they arrived'],
    ['  refused by the simulator', whole(violations), '0', 'its limit is one ninth above ours'],
  ])
}

function reportingLines({ reporting }: Measured): Line[] {
  if (!reporting) return []
  const { queueIntervals, agentIntervals, queries } = reporting
  const size = `${whole(queueIntervals)} queue and ${whole(agentIntervals)} agent intervals`
  return queries.map(({ name, bestMs, medianMs, limitMs, rows }, index): Line => [
    name,
    `${medianMs.toFixed(0)} ms`,
    limitMs === null ? '' : `≤ ${limitMs} ms`,
    `${whole(rows)} rows, at best ${bestMs.toFixed(0)} ms${index === 0 ? `; of ${size}` : ''}`,
  ])
}

/** The median of the ratios within each round, since the machine's speed differs between rounds. */
function pairwise(over: readonly number[], under: readonly number[]): number {
  return median(over.map((value, round) => value / under[round]!))
}

const ratio = (value: number): string => value.toFixed(2)
const whole = (value: number): string => Math.round(value).toLocaleString('en')
const mb = (value: number): string => `${Math.round(value)} MB`
const percent = (value: number): string => `${(value * 100).toFixed(1)} %`
const spread = (values: readonly number[]): string =>
  `${median(values).toFixed(2)} s (${Math.min(...values).toFixed(2)}–${Math.max(...values).toFixed(2)})`

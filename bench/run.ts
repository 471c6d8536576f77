/**
 * npm run bench [-- --quick --json --only load,memory,ceiling --rounds N --conversations N --profile --node="OPTIONS"]
 *
 * Measures the history pipeline, each figure against another of the same run, so that machines can be compared. What the
 * figures mean, and those of one machine: docs/performance.md.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, totalmem } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { ceilingUse, type CeilingUse } from './ceiling.ts'
import { runLoad, startSimulatorProcess, type SimulatorProcess } from './children.ts'
import {
  copyDump,
  dumpRows,
  insertRowByRow,
  serverSettings,
  startBenchDatabase,
  tuplesWritten,
  type BenchDatabase,
} from './database.ts'
import type { LoadJob, LoadResult } from './load-process.ts'
import { median, type Measured, printTable } from './report.ts'
import type { SimulatorJob } from './simulator-process.ts'
import { stolenShare } from './stolen-time.ts'

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    only: { type: 'string', default: 'load,memory,ceiling' },
    rounds: { type: 'string' },
    conversations: { type: 'string' },
    profile: { type: 'boolean', default: false },
    node: { type: 'string', default: '' },
  },
})
const { quick } = options
/** For trying out options of node. */
const nodeOptions = options.node.split(' ').filter(Boolean)
const perDay = 1000
const conversations = Number(options.conversations ?? (quick ? 5000 : 20_000))
const rounds = Number(options.rounds ?? (quick ? 2 : 4))
const earlierRows = quick ? 250_000 : 1_000_000
const concurrency = 10
const dayMs = 86_400_000
const today = new Date(Math.floor(Date.now() / dayMs) * dayMs)
const resultsFolder = path.join(import.meta.dirname, 'results')
const started = performance.now()

/** 270 requests a minute under a limit of 300, as in the service; only the minute is shorter. */
const ceilingWindowMs = 6000
const ceiling = { requests: 27, windowMs: ceilingWindowMs }
const serverLimit = { requestsPerMinute: 30, windowMs: ceilingWindowMs }
const latenciesMs = [1000, 2000]

// an exit stops the server, too, which an unhandled signal would leave behind
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
await mkdir(resultsFolder, { recursive: true })
const say = (text: string): void => {
  if (!options.json)
    process.stderr.write(`${((performance.now() - started) / 1000).toFixed(0).padStart(4)} s  ${text}\n`)
}
const parts = new Set(options.only.split(','))
const stolen = stolenShare()
say(`writing ${earlierRows.toLocaleString('en')} rows of earlier data`)
await using database = await startBenchDatabase(earlierRows, today)
const measured: Measured = {
  ...(parts.has('load') && (await measureLoads())),
  ...(parts.has('memory') && { memory: await measureMemory() }),
  ...(parts.has('ceiling') && { ceiling: await measureCeiling() }),
}
const report = {
  date: new Date().toISOString(),
  quick,
  machine: {
    cpu: cpus()[0]?.model,
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 1e9),
    node: process.version,
    stolenShare: stolen(),
  },
  postgres: { version: database.version, settings: serverSettings, earlierRows: database.earlierRows },
  conversations,
  rounds,
  seconds: Math.round((performance.now() - started) / 1000),
  ...measured,
}
const file = path.join(resultsFolder, `${report.date.replaceAll(/[:.]/g, '-')}.json`)
await writeFile(file, `${JSON.stringify(report, null, 2)}\n`)
if (options.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
else {
  printTable(measured, report.machine.stolenShare)
  say(`the same as JSON: ${path.relative(process.cwd(), file)}`)
}

/** First load, unchanged re-load and raw COPY in turns, and rows one by one. */
async function measureLoads(): Promise<Pick<Measured, 'load'>> {
  const days = conversations / perDay
  say(`writing ${conversations.toLocaleString('en')} conversations`)
  await using org = await startOrg({ days, precompute: true, latencyMs: 0 })
  const job = loadJob(org, days)
  // The first read makes the simulator write its pages; into an empty database, so that all its rows are the load's.
  await using empty = await database.copy('empty')
  await runLoad({ ...job, databaseUrl: empty.url })
  await using dump = await dumpRows(empty.url)
  const copies: number[] = []
  const first: LoadResult[] = []
  const again: LoadResult[] = []
  let tuples = 0
  for (let round = 1; round <= rounds; round++) {
    say(`round ${round} of ${rounds}`)
    copies.push(await onCopy((url) => copyDump(url, dump)))
    await onCopy(async (url) => {
      first.push(await load(url, `first-${round}`))
      const before = await tuplesWritten(url)
      again.push(await load(url, `again-${round}`))
      tuples += (await tuplesWritten(url)) - before
    })
    say(`raw COPY ${seconds(copies)}, first load ${seconds(first)}, again ${seconds(again)}`)
  }
  say('rows one by one')
  const inserts = await onCopy((url) => insertRowByRow(empty.url, url, 300))
  const { counts } = first[0]!
  return {
    load: {
      conversations: counts.inserted,
      rows: dump.rows,
      copySeconds: copies,
      first,
      again,
      reloadTuples: tuples,
      insertSeconds: (inserts.seconds / inserts.rows) * dump.rows,
      insertedRows: inserts.rows,
    },
  }

  function load(databaseUrl: string, name: string): Promise<LoadResult> {
    const profile = ['--cpu-prof', `--cpu-prof-dir=${resultsFolder}`, `--cpu-prof-name=${name}.cpuprofile`]
    return runLoad({ ...job, databaseUrl }, [...nodeOptions, ...(options.profile ? profile : [])])
  }
}

/** Peak memory of a load, and of one ten times as large. */
async function measureMemory(): Promise<NonNullable<Measured['memory']>> {
  // Half as many as the loads, so that ten times as many are generated and loaded in minutes.
  const days = (conversations * 5) / perDay
  say(
    `memory: ${(conversations / 2).toLocaleString('en')} and ${(conversations * 5).toLocaleString('en')} conversations`,
  )
  await using org = await startOrg({ days, precompute: false, latencyMs: 0 })
  const one = await onCopy((databaseUrl) => runLoad({ ...loadJob(org, days / 10), databaseUrl }, nodeOptions))
  const ten = await onCopy((databaseUrl) => runLoad({ ...loadJob(org, days), databaseUrl }, nodeOptions))
  return { one, ten }
}

/** Use of the request limit at slow answers; the loads run side by side, since they mostly wait. */
async function measureCeiling(): Promise<NonNullable<Measured['ceiling']>> {
  const days = Math.max(conversations, 12_000) / perDay
  say(`request limit: ${ceiling.requests} of ${serverLimit.requestsPerMinute} requests in ${ceilingWindowMs / 1000} s`)
  return Promise.all(latenciesMs.map((latencyMs) => useOfCeiling(latencyMs, days)))
}

async function useOfCeiling(
  latencyMs: number,
  days: number,
): Promise<CeilingUse & { latencyMs: number; violations: number }> {
  await using org = await startOrg({ days, precompute: true, latencyMs, rateLimit: serverLimit })
  await onCopy((databaseUrl) => runLoad({ ...loadJob(org, days), databaseUrl, limit: ceiling }))
  const { requests } = (await org.control('requests')) as { requests: { at: number; endpoint: string }[] }
  const { violations } = (await org.control('violations')) as { violations: number }
  const times = requests.filter(({ endpoint }) => endpoint !== 'token').map(({ at }) => at)
  return { latencyMs, violations, ...ceilingUse(times, ceiling) }
}

function startOrg(
  job: Pick<SimulatorJob, 'days' | 'precompute' | 'latencyMs' | 'rateLimit'>,
): Promise<SimulatorProcess> {
  return startSimulatorProcess({ seed: 'bench', now: today.toISOString(), perDay, malformedShare: 0.001, ...job })
}

/** A load of the last days. */
function loadJob(org: SimulatorProcess, days: number): Omit<LoadJob, 'databaseUrl'> {
  const { url, clientId, clientSecret } = org
  const from = new Date(today.getTime() - days * dayMs)
  return {
    org: { url, clientId, clientSecret },
    from: from.toISOString(),
    to: today.toISOString(),
    concurrency,
    limit: null,
  }
}

async function onCopy<Result>(work: (databaseUrl: string) => Promise<Result>): Promise<Result> {
  await using copy = await (database satisfies BenchDatabase).copy('base')
  return await work(copy.url)
}

function seconds(values: readonly (number | LoadResult)[]): string {
  return `${median(values.map((value) => (typeof value === 'number' ? value : value.seconds))).toFixed(2)} s`
}

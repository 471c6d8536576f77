/**
 * Measures the history pipeline. Each figure is a ratio to another one of the same run, so that machines can be compared.
 * docs/performance.md explains the figures and shows those of one machine.
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
  SERVER_SETTINGS,
  startBenchDatabase,
  tuplesWritten,
  type BenchDatabase,
} from './database.ts'
import type { LoadJob, LoadResult } from './load-process.ts'
import { median, type Measured, printTable } from './report.ts'
import { measureReporting } from './reporting.ts'
import type { SimulatorJob } from './simulator-process.ts'
import { stolenShare } from './stolen-time.ts'

const HELP = `Usage: npm run bench -- [options]

  --source SOURCE      query or jobs: how the loads beside raw COPY read (default query)
  --quick              a first impression: fewer conversations, rounds and rows of earlier data
  --only PARTS         some of load,memory,ceiling,reporting,jobs (default: all but jobs)
  --conversations N    conversations of the measured loads (default 20000; quick 5000)
  --rounds N           rounds of loads, of which the median counts (default 4; quick 2)
  --json               print the results as JSON instead of a table
  --profile            write a CPU profile of each load to bench/results
  --node="OPTIONS"     further options of node for the loads
  --help               print this
`

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    only: { type: 'string', default: 'load,memory,ceiling,reporting' },
    source: { type: 'string', default: 'query' },
    rounds: { type: 'string' },
    conversations: { type: 'string' },
    profile: { type: 'boolean', default: false },
    node: { type: 'string', default: '' },
    help: { type: 'boolean', default: false },
  },
})
if (options.help) {
  process.stdout.write(HELP)
  process.exit(0)
}
const { quick } = options
if (!isSource(options.source)) throw new Error('--source must be query or jobs')
const source = options.source
/** For experiments with options of node. */
const nodeOptions = options.node.split(' ').filter(Boolean)
const PER_DAY = 1000
const conversations = Number(options.conversations ?? (quick ? 5000 : 20_000))
const rounds = Number(options.rounds ?? (quick ? 2 : 4))
const earlierRows = quick ? 250_000 : 1_000_000
const CONCURRENCY = 10
const DAY_MS = 86_400_000
const today = new Date(Math.floor(Date.now() / DAY_MS) * DAY_MS)
const RESULTS_FOLDER = path.join(import.meta.dirname, 'results')
const started = performance.now()

/** 270 requests per minute under a limit of 300, as in the service, with a shorter minute. */
const WINDOW_MS = 6000
const OUR_LIMIT = { requests: 27, windowMs: WINDOW_MS }
const SERVER_LIMIT = { requestsPerMinute: 30, windowMs: WINDOW_MS }
const LATENCIES_MS = [1000, 2000]

// an exit also stops the Postgres server, which an unhandled signal would leave running
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
await mkdir(RESULTS_FOLDER, { recursive: true })
const logStep = (text: string): void => {
  if (!options.json)
    process.stderr.write(`${((performance.now() - started) / 1000).toFixed(0).padStart(4)} s  ${text}\n`)
}
const parts = new Set(options.only.split(','))
const stolen = stolenShare()
logStep(`writing ${earlierRows.toLocaleString('en')} rows of earlier data`)
await using database = await startBenchDatabase(earlierRows, today)
const measured: Measured = {
  ...(parts.has('load') && (await measureLoads())),
  ...(parts.has('memory') && { memory: await measureMemory() }),
  ...(parts.has('jobs') && { jobs: await measureJobs() }),
  ...(parts.has('ceiling') && { ceiling: await measureCeiling() }),
  ...(parts.has('reporting') && {
    reporting: await measureReports(),
  }),
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
  postgres: { version: database.version, settings: SERVER_SETTINGS, earlierRows: database.earlierRows },
  conversations,
  source,
  rounds,
  seconds: Math.round((performance.now() - started) / 1000),
  ...measured,
}
const file = path.join(RESULTS_FOLDER, `${report.date.replaceAll(/[:.]/g, '-')}.json`)
await writeFile(file, `${JSON.stringify(report, null, 2)}\n`)
if (options.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
else {
  printTable(measured, report.machine.stolenShare)
  logStep(`results as JSON: ${path.relative(process.cwd(), file)}`)
}

function isSource(text: string): text is LoadJob['source'] {
  return text === 'query' || text === 'jobs'
}

/** Measures first load, unchanged re-load and raw COPY alternately, and rows one by one. */
async function measureLoads(): Promise<Pick<Measured, 'load'>> {
  const days = conversations / PER_DAY
  logStep(`writing ${conversations.toLocaleString('en')} conversations`)
  await using org = await startOrg({ days, precompute: true, latencyMs: 0 })
  const job = { ...loadJob(org, days), source }
  // The first read makes the simulator write its pages; the database is empty, so that all its rows come from the load.
  await using empty = await database.copy('empty')
  await runLoad({ ...job, databaseUrl: empty.url })
  await using dump = await dumpRows(empty.url)
  const copies: number[] = []
  const first: LoadResult[] = []
  const again: LoadResult[] = []
  let tuples = 0
  for (let round = 1; round <= rounds; round++) {
    logStep(`round ${round} of ${rounds}`)
    copies.push(await onCopy((url) => copyDump(url, dump)))
    await onCopy(async (url) => {
      first.push(await load(url, `first-${round}`))
      const before = await tuplesWritten(url)
      again.push(await load(url, `again-${round}`))
      tuples += (await tuplesWritten(url)) - before
    })
    logStep(`raw COPY ${seconds(copies)}, first load ${seconds(first)}, again ${seconds(again)}`)
  }
  logStep('rows one by one')
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
    const profile = ['--cpu-prof', `--cpu-prof-dir=${RESULTS_FOLDER}`, `--cpu-prof-name=${name}.cpuprofile`]
    return runLoad({ ...job, databaseUrl }, [...nodeOptions, ...(options.profile ? profile : [])])
  }
}

/** Measures the peak memory of a load, and of one ten times as large. */
async function measureMemory(): Promise<NonNullable<Measured['memory']>> {
  // Half as many as in the loads, so that ten times as many take only minutes to generate and load.
  const days = (conversations * 5) / PER_DAY
  logStep(
    `memory: ${(conversations / 2).toLocaleString('en')} and ${(conversations * 5).toLocaleString('en')} conversations`,
  )
  await using org = await startOrg({ days, precompute: false, latencyMs: 0 })
  const one = await onCopy((databaseUrl) => runLoad({ ...loadJob(org, days / 10), databaseUrl }, nodeOptions))
  const ten = await onCopy((databaseUrl) => runLoad({ ...loadJob(org, days), databaseUrl }, nodeOptions))
  return { one, ten }
}

/** Measures first loads by details jobs beside those by query of the same days, and the memory of one that is five times as large. */
async function measureJobs(): Promise<NonNullable<Measured['jobs']>> {
  const days = conversations / PER_DAY
  await using org = await startOrg({ days: 5 * days, precompute: false, latencyMs: 0 })
  const load = (source: LoadJob['source'], ofDays = days): Promise<LoadResult> =>
    onCopy((databaseUrl) => runLoad({ ...loadJob(org, ofDays), source, databaseUrl }, nodeOptions))
  // the first reads make the simulator write what it delivers
  await load('query', 5 * days)
  await load('jobs', 5 * days)
  const query: LoadResult[] = []
  const jobs: LoadResult[] = []
  for (let round = 1; round <= rounds; round++) {
    query.push(await load('query'))
    jobs.push(await load('jobs'))
    logStep(`details jobs, round ${round} of ${rounds}: by query ${seconds(query)}, by jobs ${seconds(jobs)}`)
  }
  return { query, jobs, larger: await load('jobs', 5 * days) }
}

/** Measures the use of the request limit with slow answers; the loads run in parallel, since they mostly wait. */
async function measureCeiling(): Promise<NonNullable<Measured['ceiling']>> {
  const days = Math.max(conversations, 12_000) / PER_DAY
  logStep(`request limit: ${OUR_LIMIT.requests} of ${SERVER_LIMIT.requestsPerMinute} requests in ${WINDOW_MS / 1000} s`)
  return Promise.all(LATENCIES_MS.map((latencyMs) => useOfCeiling(latencyMs, days)))
}

async function useOfCeiling(
  latencyMs: number,
  days: number,
): Promise<CeilingUse & { latencyMs: number; violations: number }> {
  await using org = await startOrg({ days, precompute: true, latencyMs, rateLimit: SERVER_LIMIT })
  await onCopy((databaseUrl) => runLoad({ ...loadJob(org, days), databaseUrl, limit: OUR_LIMIT }))
  const { requests } = (await org.control('requests')) as { requests: { at: number; endpoint: string }[] }
  const { violations } = (await org.control('violations')) as { violations: number }
  const times = requests.filter(({ endpoint }) => endpoint !== 'token').map(({ at }) => at)
  return { latencyMs, violations, ...ceilingUse(times, OUR_LIMIT) }
}

function startOrg(
  job: Pick<SimulatorJob, 'days' | 'precompute' | 'latencyMs' | 'rateLimit'>,
): Promise<SimulatorProcess> {
  return startSimulatorProcess({
    seed: 'bench',
    now: today.toISOString(),
    perDay: PER_DAY,
    malformedShare: 0.001,
    ...job,
  })
}

/** A load of the last `days` days. */
function loadJob(org: SimulatorProcess, days: number): Omit<LoadJob, 'databaseUrl'> {
  const { url, clientId, clientSecret } = org
  const from = new Date(today.getTime() - days * DAY_MS)
  return {
    org: { url, clientId, clientSecret },
    from: from.toISOString(),
    to: today.toISOString(),
    concurrency: CONCURRENCY,
    source: 'query',
    limit: null,
  }
}

async function measureReports(): Promise<NonNullable<Measured['reporting']>> {
  await using empty = await database.copy('empty')
  return await measureReporting(empty.url, quick, logStep)
}

async function onCopy<Result>(work: (databaseUrl: string) => Promise<Result>): Promise<Result> {
  await using copy = await (database satisfies BenchDatabase).copy('base')
  return await work(copy.url)
}

function seconds(values: readonly (number | LoadResult)[]): string {
  return `${median(values.map((value) => (typeof value === 'number' ? value : value.seconds))).toFixed(2)} s`
}

import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { EtlError } from '../errors.ts'
import { postgresBinaries, sharedFolderPath } from './binaries.ts'
import { initialize, instanceFolder, readOrCreatePassword, TEMPORARY_PREFIX } from './data-folder.ts'
import { logFile, pgCtlStop, startServer, type Instance, type ServerOptions } from './pg-ctl.ts'
import { choosePort } from './ports.ts'
import { hasProcesses, isAlive, isPostgres, livingUsers, registerUser } from './processes.ts'
import { lastLines, readIfPresent } from './text.ts'
import { unprivilegedAccount, type Account } from './unprivileged-user.ts'

/** What to start, and where. `persistent`: the data survives stop(), too. */
export interface EmbeddedOptions extends ServerOptions {
  /** Where the data is kept. Absent: `.data/postgres` when persistent, else a temporary folder removed by stop(). */
  readonly dataDir?: string
  /** The port on 127.0.0.1. Absent: the port of the last time if it is free, else any free one. */
  readonly port?: number
}

/** A server that runs. */
export interface EmbeddedPostgres extends AsyncDisposable {
  /** Connection URL of the superuser to the database genesys_etl. Contains the password. */
  readonly url: string
  /** A command line that opens psql. Contains the password. */
  readonly psql: string
  readonly dataDir: string
  readonly port: number
  /** true: the server was running already, left by a killed process or shared with a living one. */
  readonly adopted: boolean
  /** Stops the server unless another living process of ours uses it; removes a temporary data folder. */
  stop(): Promise<void>
}

const DATABASE_NAME = 'genesys_etl'
const START_ATTEMPTS = 5
/** How long a server that is starting or shutting down may take before it is stopped. */
const ANSWER_TIMEOUT_MS = 20_000

/**
 * Starts a real Postgres (binaries from npm) on 127.0.0.1, as an ordinary user or, for root, as an account without
 * rights. A server of the same data folder that a killed process left behind, or that another process of ours is using,
 * is adopted.
 * @throws EtlError that says what to do if it cannot be started
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const account = unprivilegedAccount()
  const bin = path.join(postgresBinaries(account), 'bin')
  removeOrphans(bin, account)
  const { folder, temporary } = instanceFolder(options, account)
  const instance: Instance = { folder, data: path.join(folder, 'pgdata'), bin, account, temporary }
  const user = registerUser(folder)
  const password = readOrCreatePassword(folder)
  try {
    await initialize(instance, password)
    const { port, adopted } = await ensureRunning(instance, password, options)
    writeFileSync(path.join(folder, 'port'), String(port))
    const url = `postgres://postgres:${password}@127.0.0.1:${port}/${DATABASE_NAME}`
    await createDatabase(url)
    return handle(instance, user, { url, port, adopted })
  } catch (error) {
    stopInstance(instance, user)
    throw error
  }
}

function handle(
  instance: Instance,
  user: string,
  server: { url: string; port: number; adopted: boolean },
): EmbeddedPostgres {
  let stopped = false
  const stopOnce = () => {
    if (stopped) return
    stopped = true
    process.removeListener('exit', stopOnce)
    stopInstance(instance, user)
  }
  process.on('exit', stopOnce)
  return {
    ...server,
    psql: `psql '${server.url}'`,
    dataDir: instance.folder,
    async stop() {
      stopOnce()
    },
    async [Symbol.asyncDispose]() {
      stopOnce()
    },
  }
}

async function ensureRunning(
  instance: Instance,
  password: string,
  options: EmbeddedOptions,
): Promise<{ port: number; adopted: boolean }> {
  let problem = ''
  for (let attempt = 0; attempt < START_ATTEMPTS; attempt++) {
    const running = await runningPort(instance, password)
    if (running !== undefined) return { port: running, adopted: true }
    const port = await choosePort(options.port, Number(readIfPresent(path.join(instance.folder, 'port'))))
    try {
      await startServer(instance, port, options)
      return { port, adopted: false }
    } catch {
      // the port may have been taken meanwhile, or another process of ours may have been faster: check again
      problem = lastLines(readIfPresent(logFile(instance)))
      await sleep(100 * (attempt + 1))
    }
  }
  throw new EtlError(`The embedded Postgres in ${instance.folder} does not start: ${problem}`, {
    code: 'EMBEDDED_START',
    kind: 'fatal',
    hint: `Read ${logFile(instance)}; if the data is dispensable, remove ${instance.folder} and start again.`,
  })
}

/**
 * The port of a server that already runs on our data folder. One that is alive but does not answer in time is stopped;
 * a postmaster.pid whose number now belongs to another program is removed.
 */
async function runningPort(instance: Instance, password: string): Promise<number | undefined> {
  const pidFile = path.join(instance.data, 'postmaster.pid')
  const deadline = Date.now() + ANSWER_TIMEOUT_MS
  for (;;) {
    const [pid, , , port] = readIfPresent(pidFile).split('\n').map(Number)
    if (!pid || !isAlive(pid)) return undefined
    if (!isPostgres(pid)) {
      // the number belongs to another program now, or to a zombie process of the server, whose children may still write
      if (hasProcesses(instance.data) && Date.now() < deadline) {
        await sleep(100)
        continue
      }
      rmSync(pidFile, { force: true })
      return undefined
    }
    if (port && (await servesFolder(port, password, instance.data))) return port
    if (Date.now() > deadline) {
      pgCtlStop(instance, 'immediate')
      return undefined
    }
    await sleep(100)
  }
}

async function servesFolder(port: number, password: string, data: string): Promise<boolean> {
  const client = new Client({
    host: '127.0.0.1',
    port,
    user: 'postgres',
    password,
    database: 'postgres',
    ssl: false,
    connectionTimeoutMillis: 3000,
  })
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows } = await client.query<{ data_directory: string }>('show data_directory')
    return statSync(rows[0]?.data_directory ?? '').ino === statSync(data).ino
  } catch {
    return false
  } finally {
    await client.end().catch(() => {})
  }
}

async function createDatabase(url: string): Promise<void> {
  const admin = new URL(url)
  admin.pathname = '/postgres'
  const client = new Client({ connectionString: admin.href, ssl: false })
  client.on('error', () => {})
  await client.connect()
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [DATABASE_NAME])
    if (rowCount === 0) await client.query(`create database ${DATABASE_NAME}`)
  } catch (error) {
    // 42P04, 23505: another process of ours created it at the same moment
    if (!['42P04', '23505'].includes((error as { code?: string }).code ?? '')) throw error
  } finally {
    await client.end()
  }
}

function stopInstance(instance: Instance, user: string): void {
  rmSync(user, { force: true })
  if (livingUsers(instance.folder).length > 0) return
  if (!pgCtlStop(instance, instance.temporary ? 'immediate' : 'fast')) pgCtlStop(instance, 'immediate')
  if (instance.temporary) rmSync(instance.folder, { recursive: true, force: true })
}

/** Temporary servers whose process was killed would pile up: stops and removes those that no living process uses. */
function removeOrphans(bin: string, account: Account | undefined): void {
  for (const base of [os.tmpdir(), sharedFolderPath()]) {
    for (const name of existsSync(base) ? readdirSync(base) : []) {
      if (!name.startsWith(TEMPORARY_PREFIX)) continue
      const folder = path.join(base, name)
      const stat = statSync(folder, { throwIfNoEntry: false })
      if (!stat || (process.getuid && stat.uid !== process.getuid())) continue
      // one that is being created has no registered user yet
      if (livingUsers(folder).length > 0 || Date.now() - stat.ctimeMs < 2000) continue
      pgCtlStop({ folder, data: path.join(folder, 'pgdata'), bin, account, temporary: true }, 'immediate')
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

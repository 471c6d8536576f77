import { execFile, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { EtlError } from '../errors.ts'
import { postgresBinaries, sharedFolder, sharedFolderPath, shortHash } from './binaries.ts'
import { canEnter, unprivilegedAccount, type Account } from './unprivileged-user.ts'

export interface EmbeddedOptions {
  /** Where the data is kept. Absent: `.data/postgres` when persistent, else a temporary folder removed by stop(). */
  readonly dataDir?: string
  /** The port on 127.0.0.1. Absent: the port of the last time if it is free, else any free one. */
  readonly port?: number
  /** true: the data outlives stop() and a power cut (fsync on). false: fast, for the demo, tests and the bench. */
  readonly persistent: boolean
  /** Further server settings, e.g. { shared_buffers: '512MB' }. */
  readonly settings?: Readonly<Record<string, string>>
}

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

interface Instance {
  readonly folder: string
  readonly data: string
  readonly bin: string
  readonly account: Account | undefined
  readonly temporary: boolean
}

const run = promisify(execFile)
const databaseName = 'genesys_etl'
const temporaryPrefix = 'genesys-etl-pg-'
const startSeconds = 60
let starts = 0

/**
 * Starts a real Postgres (binaries from npm) on 127.0.0.1, as an ordinary user or, for root, as an account without
 * rights. A server of the same data folder that a killed process left behind, or that another process of ours is using,
 * is adopted. Throws EtlError with a sentence on what to do where it can't be started.
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
    const url = `postgres://postgres:${password}@127.0.0.1:${port}/${databaseName}`
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

function instanceFolder(
  options: EmbeddedOptions,
  account: Account | undefined,
): { folder: string; temporary: boolean } {
  if (options.dataDir === undefined && !options.persistent) {
    return { folder: temporaryFolder(account), temporary: true }
  }
  const wanted = path.resolve(options.dataDir ?? path.join('.data', 'postgres'))
  mkdirSync(wanted, { recursive: true })
  if (account) chmodSync(wanted, 0o711)
  if (canEnter(account, wanted)) return { folder: wanted, temporary: false }
  // a checkout under a folder that only root can enter: the server's account needs the data elsewhere
  const elsewhere = path.join(sharedFolder(), `data-${shortHash(wanted)}`)
  mkdirSync(elsewhere, { recursive: true, mode: 0o711 })
  return { folder: elsewhere, temporary: false }
}

function temporaryFolder(account: Account | undefined): string {
  const base = canEnter(account, os.tmpdir()) ? os.tmpdir() : sharedFolder()
  const folder = mkdtempSync(path.join(base, temporaryPrefix))
  chmodSync(folder, 0o711)
  return folder
}

/** Creates the cluster beside its place and moves it in, so that a half-made one is never started. */
async function initialize(instance: Instance, password: string): Promise<void> {
  const { folder, data, account } = instance
  if (existsSync(data)) return
  const part = mkdtempSync(path.join(folder, 'init-'))
  const passwordFile = path.join(folder, `${path.basename(part)}.password`)
  try {
    writeFileSync(passwordFile, password, { mode: 0o600 })
    giveTo(account, passwordFile)
    giveTo(account, part)
    const args = ['-D', part, '-U', 'postgres', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '-E', 'UTF8']
    args.push('--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--no-sync', '--no-instructions')
    await run(path.join(instance.bin, 'initdb'), args, childOptions(account))
    renameSync(part, data)
  } catch (error) {
    if (existsSync(data)) return
    const { stderr = '' } = error as { stderr?: string }
    throw new EtlError(`The embedded Postgres could not create its data folder ${data}: ${lastLines(stderr)}`, {
      code: 'EMBEDDED_INITDB',
      kind: 'fatal',
      hint: 'Mend what the message says (space, rights), or set DATABASE_URL to a Postgres that runs elsewhere.',
      cause: error,
    })
  } finally {
    rmSync(passwordFile, { force: true })
    rmSync(part, { recursive: true, force: true })
  }
}

async function ensureRunning(
  instance: Instance,
  password: string,
  options: EmbeddedOptions,
): Promise<{ port: number; adopted: boolean }> {
  let problem = ''
  for (let attempt = 0; attempt < 5; attempt++) {
    const running = await runningPort(instance, password)
    if (running !== undefined) return { port: running, adopted: true }
    const port = await choosePort(instance, options.port)
    try {
      const args = ['start', '-w', '-t', String(startSeconds), '-D', instance.data, '-l', logFile(instance)]
      args.push('-o', serverSettings(port, options))
      await run(path.join(instance.bin, 'pg_ctl'), args, childOptions(instance.account))
      return { port, adopted: false }
    } catch {
      // the port may have been taken meanwhile, or another process of ours may have been faster: look again
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
  const deadline = Date.now() + 20_000
  for (;;) {
    const [pid, , , port] = readIfPresent(pidFile).split('\n').map(Number)
    if (!pid || !isAlive(pid)) return undefined
    if (!isPostgres(pid)) {
      // the number belongs to another program now, or to a dead server that nobody has buried; its children may still write
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
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [databaseName])
    if (rowCount === 0) await client.query(`create database ${databaseName}`)
  } catch (error) {
    // 42P04, 23505: another process of ours created it at the same moment
    if (!['42P04', '23505'].includes((error as { code?: string }).code ?? '')) throw error
  } finally {
    await client.end()
  }
}

async function choosePort(instance: Instance, wanted: number | undefined): Promise<number> {
  if (wanted !== undefined) {
    if (await portIsFree(wanted)) return wanted
    throw new EtlError(`Port ${wanted} on 127.0.0.1 is taken, so the embedded Postgres can't listen there`, {
      code: 'EMBEDDED_PORT_TAKEN',
      kind: 'config',
      hint: 'Stop what listens there, or choose another port.',
    })
  }
  const last = Number(readIfPresent(path.join(instance.folder, 'port')))
  if (last > 0 && (await portIsFree(last))) return last
  return freePort()
}

async function portIsFree(port: number): Promise<boolean> {
  return listenOnce(port).then(
    () => true,
    () => false,
  )
}

async function freePort(): Promise<number> {
  return listenOnce(0)
}

function listenOnce(port: number): Promise<number> {
  const server = net.createServer()
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      const { port: actual } = server.address() as net.AddressInfo
      server.close(() => resolve(actual))
    })
  })
}

function serverSettings(port: number, options: EmbeddedOptions): string {
  const settings: Record<string, string> = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    // no socket: its path would have to be short and writable, and everything connects to 127.0.0.1
    unix_socket_directories: '',
    timezone: 'UTC',
    log_timezone: 'UTC',
    max_wal_size: '2GB',
    ...(options.persistent ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
    ...(sharedMemoryIsSmall() ? { dynamic_shared_memory_type: 'mmap' } : {}),
    ...options.settings,
  }
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}='${value}'`)
    .join(' ')
}

/** Containers often have 64 MB of /dev/shm or none, which parallel queries outgrow. */
function sharedMemoryIsSmall(): boolean {
  if (process.platform !== 'linux') return false
  try {
    const { bavail, bsize } = statfsSync('/dev/shm')
    return bavail * bsize < 256 * 1024 * 1024
  } catch {
    return true
  }
}

function stopInstance(instance: Instance, user: string): void {
  rmSync(user, { force: true })
  if (livingUsers(instance.folder).length > 0) return
  if (!pgCtlStop(instance, instance.temporary ? 'immediate' : 'fast')) pgCtlStop(instance, 'immediate')
  if (instance.temporary) rmSync(instance.folder, { recursive: true, force: true })
}

// synchronous, because it also runs in the process's exit event
function pgCtlStop(instance: Instance, mode: 'fast' | 'immediate'): boolean {
  if (!existsSync(path.join(instance.data, 'postmaster.pid'))) return true
  const args = ['stop', '-w', '-t', '60', '-m', mode, '-D', instance.data]
  const { status } = spawnSync(path.join(instance.bin, 'pg_ctl'), args, {
    ...childOptions(instance.account),
    stdio: 'ignore',
  })
  return status === 0
}

/** Temporary servers whose process was killed would pile up: stops and removes those that no living process uses. */
function removeOrphans(bin: string, account: Account | undefined): void {
  for (const base of [os.tmpdir(), sharedFolderPath()]) {
    for (const name of existsSync(base) ? readdirSync(base) : []) {
      if (!name.startsWith(temporaryPrefix)) continue
      const folder = path.join(base, name)
      const stat = statSync(folder, { throwIfNoEntry: false })
      if (!stat || (process.getuid && stat.uid !== process.getuid())) continue
      // one that is being made has no registered user yet
      if (livingUsers(folder).length > 0 || Date.now() - stat.ctimeMs < 2000) continue
      pgCtlStop({ folder, data: path.join(folder, 'pgdata'), bin, account, temporary: true }, 'immediate')
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

/** A file named after our process: the server is stopped by the last process that uses it. */
function registerUser(folder: string): string {
  const users = path.join(folder, 'users')
  mkdirSync(users, { recursive: true })
  const file = path.join(users, `${process.pid}-${startOf(process.pid)}-${++starts}`)
  writeFileSync(file, '')
  return file
}

function livingUsers(folder: string): string[] {
  const users = path.join(folder, 'users')
  if (!existsSync(users)) return []
  return readdirSync(users).filter((name) => {
    const [pid = '', start = ''] = name.split('-')
    return isAlive(Number(pid)) && startOf(Number(pid)) === start
  })
}

/** When the process started, in the kernel's ticks, so that a reused number is not taken for the old process. */
function startOf(pid: number): string {
  if (process.platform !== 'linux') return '0'
  const stat = readIfPresent(`/proc/${pid}/stat`)
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '0'
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function isPostgres(pid: number): boolean {
  if (process.platform !== 'linux') return true
  return /^\d+ \(postgres\) [^Z]/.test(readIfPresent(`/proc/${pid}/stat`))
}

/** Whether any process works in the data folder, as those of a server do. */
function hasProcesses(data: string): boolean {
  if (process.platform !== 'linux') return false
  return readdirSync('/proc').some((name) => {
    try {
      return /^\d+$/.test(name) && readlinkSync(`/proc/${name}/cwd`) === data
    } catch {
      return false
    }
  })
}

/** The password, made once; the link makes the file appear whole, and only the first of two processes makes it. */
function readOrCreatePassword(folder: string): string {
  const file = path.join(folder, 'password')
  if (!existsSync(file)) {
    if (existsSync(path.join(folder, 'pgdata'))) {
      throw new EtlError(`The embedded Postgres in ${folder} has lost its password file`, {
        code: 'EMBEDDED_PASSWORD',
        kind: 'fatal',
        hint: `Put ${file} back; if the data is dispensable, remove ${folder} and start again.`,
      })
    }
    const part = `${file}.${randomBytes(4).toString('hex')}`
    writeFileSync(part, randomBytes(18).toString('hex'), { mode: 0o600 })
    try {
      linkSync(part, file)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    } finally {
      rmSync(part, { force: true })
    }
  }
  return readFileSync(file, 'utf8')
}

function giveTo(account: Account | undefined, file: string): void {
  if (account) chownSync(file, account.uid, account.gid)
}

function childOptions(account: Account | undefined): {
  cwd: string
  env: NodeJS.ProcessEnv
  uid?: number
  gid?: number
} {
  // PGDATA, PGPORT and the like of the environment are meant for other servers
  const inherited = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG)/.test(name))
  return {
    cwd: path.parse(process.cwd()).root,
    env: { ...Object.fromEntries(inherited), LC_ALL: 'C' },
    ...(account && { uid: account.uid, gid: account.gid }),
  }
}

function logFile(instance: Instance): string {
  return path.join(instance.data, 'server.log')
}

function readIfPresent(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-3).join(' | ')
}

import { execFile, spawnSync } from 'node:child_process'
import { existsSync, statfsSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { type Account } from './unprivileged-user.ts'

const run = promisify(execFile)
const START_TIMEOUT_SECONDS = 60
const STOP_TIMEOUT_SECONDS = 60

/** A server with its data. */
export interface Instance {
  readonly folder: string
  readonly data: string
  readonly bin: string
  readonly account: Account | undefined
  readonly temporary: boolean
}

/** Where the server writes its log. */
export function logFile(instance: Instance): string {
  return path.join(instance.data, 'server.log')
}

/**
 * Starts the server and waits until it answers.
 * @throws the error of pg_ctl; the reason is in the log file
 */
export async function startServer(instance: Instance, port: number, options: ServerOptions): Promise<void> {
  const args = ['start', '-w', '-t', String(START_TIMEOUT_SECONDS), '-D', instance.data, '-l', logFile(instance)]
  args.push('-o', serverSettings(port, options))
  await run(path.join(instance.bin, 'pg_ctl'), args, childOptions(instance.account))
}

/** How a server runs. */
export interface ServerOptions {
  /** true: the data survives a power cut (fsync on). */
  readonly persistent: boolean
  /** Further server settings, e.g. { shared_buffers: '512MB' }. */
  readonly settings?: Readonly<Record<string, string>>
}

function serverSettings(port: number, options: ServerOptions): string {
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

/** Stops the server if it runs; false when that failed. Synchronous, because it also runs in the exit event of the process. */
export function pgCtlStop(instance: Instance, mode: 'fast' | 'immediate'): boolean {
  if (!existsSync(path.join(instance.data, 'postmaster.pid'))) return true
  const args = ['stop', '-w', '-t', String(STOP_TIMEOUT_SECONDS), '-m', mode, '-D', instance.data]
  const { status } = spawnSync(path.join(instance.bin, 'pg_ctl'), args, {
    ...childOptions(instance.account),
    stdio: 'ignore',
  })
  return status === 0
}

/** How the programs of Postgres are run: by the account, without the environment that is meant for other servers. */
export function childOptions(account: Account | undefined): {
  cwd: string
  env: NodeJS.ProcessEnv
  uid?: number
  gid?: number
} {
  // PGDATA, PGPORT and the like
  const inherited = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG)/.test(name))
  return {
    cwd: path.parse(process.cwd()).root,
    env: { ...Object.fromEntries(inherited), LC_ALL: 'C' },
    ...(account && { uid: account.uid, gid: account.gid }),
  }
}

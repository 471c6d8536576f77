/** Runs the command line as a child process, without this process' environment except for what fakes its clock. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { inject, onTestFinished, vi } from 'vitest'
import type { Simulator } from '../../src/simulator/server.ts'

// a process takes a second or two to start, and much longer on a busy machine
vi.setConfig({ testTimeout: 180_000 })

const program = path.join(import.meta.dirname, '..', '..', 'bin', 'genesys-etl.mjs')
/** The options of node in the program's first line, with which every installation runs it: they bound its memory. */
const nodeOptions = readFileSync(program, 'utf8').split('\n', 1).join().match(/--\S+/g) ?? []

export interface CliResult {
  /** The exit code; null when a signal ended the process. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface CliProcess {
  readonly pid: number
  kill(signal: NodeJS.Signals): void
  /** The output so far. */
  stdout(): string
  stderr(): string
  readonly result: Promise<CliResult>
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  /** The working directory, where a file .env may be; an empty folder by default. */
  readonly cwd?: string
}

/** What the tool faketime sets: under a faked time of day the processes have the time of their test. Empty without it. */
function fakedClock(): Record<string, string | undefined> {
  const { LD_PRELOAD, ...all } = process.env
  const settings = Object.entries(all).filter(([name]) => name.startsWith('FAKETIME'))
  return settings.length > 0 ? { LD_PRELOAD, ...Object.fromEntries(settings) } : {}
}

/** Starts `genesys-etl ARGS`; kills it when the test ends. */
export function startCli(args: readonly string[], { env = {}, cwd = emptyFolder() }: CliOptions = {}): CliProcess {
  const child = spawn(process.execPath, [...nodeOptions, program, ...args], {
    cwd,
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      NODE_COMPILE_CACHE: inject('compileCache'),
      ...fakedClock(),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const result = new Promise<CliResult>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await result.catch(() => {})
  })
  return {
    pid: child.pid ?? 0,
    kill: (signal) => child.kill(signal),
    stdout: () => stdout,
    stderr: () => stderr,
    result,
  }
}

/** Runs `genesys-etl ARGS` to its end. */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return await startCli(args, options).result
}

/** The environment that points the command line at an organization and a database. */
export function environmentOf(org: Simulator, databaseUrl: string): Record<string, string> {
  return {
    GENESYS_API_URL: org.url,
    GENESYS_LOGIN_URL: org.url,
    GENESYS_CLIENT_ID: org.clientId,
    GENESYS_CLIENT_SECRET: org.clientSecret,
    GENESYS_REQUESTS_PER_MINUTE: '3000',
    DATABASE_URL: databaseUrl,
  }
}

/** Makes an empty folder, which is removed after the test. */
export function emptyFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'genesys-etl-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

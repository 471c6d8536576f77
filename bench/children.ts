/** The child processes of the bench: every load and every simulator runs in its own. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import packageFile from '../package.json' with { type: 'json' }
import type { LoadJob, LoadResult } from './load-process.ts'
import type { SimulatorAddress, SimulatorJob } from './simulator-process.ts'

/** A simulator in a child process. */
export interface SimulatorProcess extends SimulatorAddress, AsyncDisposable {
  /** The answer of its control API to a GET, e.g. of `violations`. */
  control(name: string): Promise<Record<string, unknown>>
}

/**
 * Starts a simulator; resolves when it listens.
 * @throws Error when it ends before that
 */
export async function startSimulatorProcess(job: SimulatorJob): Promise<SimulatorProcess> {
  // it keeps tens of thousands of conversations in memory
  const child = start('simulator-process.ts', job, ['--max-old-space-size=8192'])
  const address = await firstMessage<SimulatorAddress>(child)
  return {
    ...address,
    async control(name) {
      const response = await fetch(`${address.url}/_simulator/${name}`)
      return (await response.json()) as Record<string, unknown>
    },
    async [Symbol.asyncDispose]() {
      const exited = once(child, 'exit')
      child.disconnect()
      await exited
    },
  }
}

/** The options of node in `npm start`, so that the bench measures what runs. */
const SERVICE_OPTIONS =
  /^exec node ((?:--\S+ )*)/.exec(packageFile.scripts.start)?.[1]?.trim().split(' ').filter(Boolean) ?? []

/**
 * Runs a load in a new process; resolves when that has ended.
 * @param nodeOptions further options of node, for profiles and experiments
 */
export async function runLoad(job: LoadJob, nodeOptions: readonly string[] = []): Promise<LoadResult> {
  const child = start('load-process.ts', job, [...SERVICE_OPTIONS, ...nodeOptions])
  const exited = once(child, 'exit')
  const result = await firstMessage<LoadResult>(child)
  await exited
  return result
}

function start(file: string, job: object, nodeOptions: readonly string[]): ChildProcess {
  return fork(path.join(import.meta.dirname, file), [JSON.stringify(job)], { execArgv: [...nodeOptions] })
}

async function firstMessage<Message>(child: ChildProcess): Promise<Message> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as Message))
    child.once('exit', (code, signal) => reject(new Error(`${child.spawnargs[1]} ended (${signal ?? code})`)))
  })
}

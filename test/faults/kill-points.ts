/** Kills a command with kill -9 at seeded points of its run. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { hashFraction } from '../../src/simulator/random.ts'
import { runCli, startCli, type CliProcess, type CliResult } from '../support/cli.ts'
import { patience } from '../support/patience.ts'
import type { Warehouse } from '../../src/postgres/connect.ts'
import { kill } from './killed-backfill.ts'

/** How many points each of these tests has. */
export const KILLS = Number(process.env['KILLS'] ?? 25)

/** A command, and the job that it runs. */
export interface KilledCommand {
  readonly warehouse: Warehouse
  readonly job: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

async function runsOf({ warehouse, job }: KilledCommand): Promise<number> {
  const { rows } = await warehouse.pool.query<{ runs: number }>(
    'select count(*)::integer as runs from etl.runs where job = $1',
    [job],
  )
  return rows[0]!.runs
}

/** Starts the command, and waits until its run has begun. */
async function begin(command: KilledCommand): Promise<CliProcess> {
  const before = await runsOf(command)
  const child = startCli(command.args, { env: command.env })
  let isOver = false
  void child.result.then(() => (isOver = true))
  await expect.poll(async () => isOver || (await runsOf(command)) > before, patience).toBe(true)
  return child
}

/** Runs the command to its end; returns for how long its run went on. */
export async function timeOf({
  warehouse,
  job,
  args,
  env,
}: KilledCommand): Promise<CliResult & { readonly ms: number }> {
  const result = await runCli(args, { env })
  const { rows } = await warehouse.pool.query<{ ms: number }>(
    'select extract(epoch from finished_at - started_at)::double precision * 1000 as ms from etl.runs where job = $1 order by id desc limit 1',
    [job],
  )
  return { ...result, ms: rows[0]?.ms ?? 0 }
}

/**
 * Kills the command some time after its run has begun.
 * @param seed decides when, within `withinMs`
 */
export async function killWithin(command: KilledCommand, seed: string, withinMs: number): Promise<void> {
  const child = await begin(command)
  await sleep(hashFraction(seed) * withinMs)
  await kill(child)
}

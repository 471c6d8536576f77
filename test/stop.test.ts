import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { STOP_DEADLINE_MS } from '../src/stop.ts'

const moduleUrl = `file://${path.join(import.meta.dirname, '../src/stop.ts')}`

/** Starts a process that waits for nothing but a timer of ten minutes, and does `onStop` when it is to stop. */
async function startProcess(deadlineMs: number, onStop: string) {
  const code = `
    import { stopOnSignals } from ${JSON.stringify(moduleUrl)}
    const signal = stopOnSignals({ deadlineMs: ${deadlineMs} })
    const timer = setTimeout(() => {}, 600_000)
    signal.addEventListener('abort', () => { ${onStop} })
    process.stdout.write('ready')`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  await once(child.stdout, 'data')
  const ended = once(child, 'close').then(([exitCode]) => ({ exitCode: exitCode as number | null, stderr }))
  return { child, ended }
}

test('what ends by itself keeps its exit code, and does not wait for the deadline', async () => {
  const { child, ended } = await startProcess(600_000, 'clearTimeout(timer)')
  child.kill('SIGTERM')
  expect(await ended).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('SIGTERM: finishing') })
})

test.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const)('what hangs after %s exits with %i at the deadline, and says so', async (signal, exitCode) => {
  const { child, ended } = await startProcess(700, '')
  child.kill(signal)
  expect(await ended).toMatchObject({ exitCode, stderr: expect.stringContaining(`${signal}: not finished after 1 s`) })
})

test('a second signal exits at once, but not the copy of the first one that npm sends', async () => {
  const { child, ended } = await startProcess(600_000, '')
  child.kill('SIGINT')
  child.kill('SIGINT')
  await sleep(1_000)
  expect(child.exitCode).toBeNull()
  child.kill('SIGINT')
  const { exitCode, stderr } = await ended
  expect(exitCode).toBe(130)
  expect(stderr).not.toContain('not finished after')
})

test.each([
  ['docker-compose.yml', /stop_grace_period: (\d+)s/],
  ['deploy/kubernetes/genesys-etl.yaml', /terminationGracePeriodSeconds: (\d+)/],
  ['deploy/systemd/genesys-etl.service', /TimeoutStopSec=(\d+)/],
])('the deadline is below the grace period of %s', (file, period) => {
  const text = readFileSync(path.join(import.meta.dirname, '..', file), 'utf8')
  expect(Number(period.exec(text)?.[1]) * 1000).toBeGreaterThanOrEqual(STOP_DEADLINE_MS + 10_000)
})

/** Which processes use a data folder, and whether they are alive. */
import { existsSync, mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { readIfPresent } from './text.ts'

let starts = 0

/** A file named after our process: the server is stopped by the last process that uses it. */
export function registerUser(folder: string): string {
  const users = path.join(folder, 'users')
  mkdirSync(users, { recursive: true })
  const file = path.join(users, `${process.pid}-${startOf(process.pid)}-${++starts}`)
  writeFileSync(file, '')
  return file
}

/** The registered users of a folder whose process is alive. */
export function livingUsers(folder: string): string[] {
  const users = path.join(folder, 'users')
  if (!existsSync(users)) return []
  return readdirSync(users).filter((name) => {
    const [pid = '', start = ''] = name.split('-')
    return isAlive(Number(pid)) && startOf(Number(pid)) === start
  })
}

/** When the process started, in the kernel's ticks, so that a reused number is not mistaken for the old process. */
function startOf(pid: number): string {
  if (process.platform !== 'linux') return '0'
  const stat = readIfPresent(`/proc/${pid}/stat`)
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '0'
}

/** Whether a process has the number. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Whether the process is a Postgres server that has not ended; true where the system cannot show it. */
export function isPostgres(pid: number): boolean {
  if (process.platform !== 'linux') return true
  return /^\d+ \(postgres\) [^Z]/.test(readIfPresent(`/proc/${pid}/stat`))
}

/** Whether any process works in the data folder, as those of a server do. */
export function hasProcesses(data: string): boolean {
  if (process.platform !== 'linux') return false
  return readdirSync('/proc').some((name) => {
    try {
      return /^\d+$/.test(name) && readlinkSync(`/proc/${name}/cwd`) === data
    } catch {
      return false
    }
  })
}

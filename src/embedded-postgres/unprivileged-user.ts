import { spawnSync } from 'node:child_process'
import { EtlError } from '../errors.ts'

/** The account that the embedded Postgres runs as; undefined: our own. */
export interface Account {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

const HINT =
  'Start it as an ordinary user, add one with `useradd --system postgres`, or set DATABASE_URL to a Postgres that runs elsewhere.'

/**
 * Postgres refuses to run as root. Returns undefined for an ordinary user; for root an account to run as: `postgres`
 * if there is one, else one that is added, else `nobody`.
 * @throws EtlError EMBEDDED_NEEDS_USER if there is none
 */
export function unprivilegedAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined
  const account = lookUp('postgres') ?? addPostgres() ?? lookUp('nobody')
  if (!account) {
    throw new EtlError('Postgres does not run as root, and no other account could be found or added', {
      code: 'EMBEDDED_NEEDS_USER',
      kind: 'config',
      hint: HINT,
    })
  }
  const probe = spawnSync('/bin/sh', ['-c', ':'], { uid: account.uid, gid: account.gid, cwd: '/' })
  if (probe.error) {
    throw new EtlError(
      `Postgres does not run as root, and switching to the account "${account.name}" is not allowed here`,
      {
        code: 'EMBEDDED_NEEDS_USER',
        kind: 'config',
        hint: HINT,
        cause: probe.error,
      },
    )
  }
  return account
}

/** Whether the account (undefined: our own) can enter the folder. */
export function canEnter(account: Account | undefined, folder: string): boolean {
  if (!account) return true
  const probe = spawnSync('/bin/sh', ['-c', 'cd -- "$1"', 'sh', folder], {
    uid: account.uid,
    gid: account.gid,
    cwd: '/',
    stdio: 'ignore',
  })
  return probe.status === 0
}

function lookUp(name: string): Account | undefined {
  const id = (flag: string) => {
    const out = spawnSync('id', [flag, name], { encoding: 'utf8' })
    return out.status === 0 ? Number(out.stdout.trim()) : undefined
  }
  const uid = id('-u')
  const gid = id('-g')
  return uid === undefined || gid === undefined || uid === 0 ? undefined : { name, uid, gid }
}

function addPostgres(): Account | undefined {
  const tools: [string, string[]][] = [
    ['useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', 'postgres']],
    ['adduser', ['-S', '-D', '-H', '-s', '/sbin/nologin', 'postgres']],
  ]
  for (const [command, args] of tools) {
    spawnSync(command, args, { stdio: 'ignore' })
    const account = lookUp('postgres')
    if (account) return account
  }
  return undefined
}

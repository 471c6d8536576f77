/** The program dbt, where it is installed: the tests of the package in dbt/ need it. */
import { execFile, execFileSync } from 'node:child_process'
import { promisify } from 'node:util'
import { dbtFolder } from '../../scripts/dbt-package.ts'

const PROGRAM = process.env['DBT'] ?? 'dbt'

/** Why tests with dbt are skipped; null: they run. */
export const noDbt = isInstalled()
  ? null
  : `there is no dbt (DBT=${PROGRAM}; python3 -m venv … && pip install -r dbt/requirements.txt, then DBT=…/bin/dbt)`

if (noDbt) process.stderr.write(`Tests of the dbt package are skipped: ${noDbt}\n`)

function isInstalled(): boolean {
  try {
    execFileSync(PROGRAM, ['--help'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

interface DbtRun {
  readonly url: string
  readonly role: string
  readonly password: string
  /** In which dbt builds. */
  readonly schema: string
  /** For what dbt writes beside the database. */
  readonly folder: string
}

/** Runs `dbt ARGS` in the package; throws with dbt's own output if it fails. Returns that output. */
export async function dbt(args: readonly string[], { url, role, password, schema, folder }: DbtRun): Promise<string> {
  const { hostname, port, pathname } = new URL(url)
  try {
    const { stdout } = await promisify(execFile)(PROGRAM, [...args, '--profiles-dir', '.', '--no-use-colors'], {
      cwd: dbtFolder,
      maxBuffer: 64 * 2 ** 20,
      env: {
        PATH: process.env['PATH'],
        HOME: folder,
        PGHOST: hostname,
        PGPORT: port,
        PGUSER: role,
        PGPASSWORD: password,
        PGDATABASE: pathname.slice(1),
        DBT_SCHEMA: schema,
        // of each schema, so that dbt need not read the package again
        DBT_TARGET_PATH: `${folder}/${schema}`,
        DBT_LOG_PATH: `${folder}/logs`,
        DBT_SEND_ANONYMOUS_USAGE_STATS: 'false',
      },
    })
    return stdout
  } catch (error) {
    throw new Error(`dbt ${args.join(' ')}\n${(error as { stdout?: string }).stdout ?? ''}`, { cause: error })
  }
}

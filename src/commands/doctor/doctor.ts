import { openApp, type App } from '../../app.ts'
import { EtlError } from '../../errors.ts'
import { type CommandContext } from '../context.ts'
import { formatCount, type Output } from '../print.ts'
import { failedFinding, runChecks, type Check, type Finding } from './check.ts'
import { databaseChecks } from './database-checks.ts'
import { genesysChecks } from './genesys-checks.ts'
import { historyChecks } from './history-checks.ts'
import { personalDataChecks } from './personal-data-checks.ts'

const CHECKS: readonly Check[] = [...genesysChecks, ...databaseChecks, ...historyChecks, ...personalDataChecks]
const MARKS = { ok: '✓', warning: '!', failed: '✗' }

/** `doctor`: checks everything that a load needs and explains how to fix what is wrong; exit code 1 when a check fails. */
export async function doctor(_options: object, { env, output, signal }: CommandContext): Promise<number> {
  const findings: Finding[] = []
  const report = (finding: Finding): void => {
    findings.push(finding)
    output.line(`${MARKS[finding.verdict]} ${finding.name}: ${finding.detail}`)
    if (finding.fix) output.line(`    ${finding.fix}`)
  }
  const app = await tryOpenApp(env, report)
  if (app) {
    await using opened = app
    await runChecks(CHECKS, { app: opened, genesys: opened.genesys(), signal }, report)
  }
  const failures = findings.filter(({ verdict }) => verdict === 'failed').length
  printResult(output, findings, failures)
  if (failures === 0) return 0
  return app ? 1 : 78
}

/** Null where the environment, or the database that it asks us to start, does not allow any other check. */
async function tryOpenApp(env: NodeJS.ProcessEnv, report: (finding: Finding) => void): Promise<App | null> {
  const name = 'configuration'
  try {
    const app = await openApp({ ...env, LOG_LEVEL: 'silent' }, { genesys: true, database: true })
    if (app.warnings.length === 0) report({ name, verdict: 'ok', detail: 'every variable is understood' })
    for (const warning of app.warnings) report({ name, verdict: 'warning', detail: warning })
    return app
  } catch (error) {
    if (!(error instanceof EtlError)) throw error
    report(failedFinding(name, error))
    return null
  }
}

function printResult(output: Output, findings: readonly Finding[], failures: number): void {
  const warnings = findings.filter(({ verdict }) => verdict === 'warning').length
  // the key `mend` is a contract
  output.data({ ok: failures === 0, checks: findings.map(({ fix, ...finding }) => ({ ...finding, mend: fix })) })
  output.line()
  output.line(
    failures === 0
      ? `Ready to load${warnings > 0 ? `, with ${formatCount(warnings, 'warning')}` : ''}.`
      : `${formatCount(failures, 'check')} failed.`,
  )
}

/** Checks of personal data: what the policy makes of each field, and whether what is stored follows it. */
import { commandLine } from '../../command-line.ts'
import { treatedFields, type Treatment } from '../../model/personal.ts'
import { requirePolicy } from '../../postgres/personal-policy.ts'
import { selectErasures } from '../../monitoring/status-queries.ts'
import { isApplicationPending } from '../../privacy/apply-policy.ts'
import { selectRetention } from '../../privacy/personal-retention.ts'
import { type Check, type CheckContext, type Finding } from './check.ts'

export const personalDataChecks: readonly Check[] = [
  { name: 'personal data', run: listFields },
  { name: 'personal data: policy', needs: 'schema', run: checkPolicy },
  { name: 'personal data: retention', needs: 'schema', run: checkRetention },
  { name: 'personal data: erasures', needs: 'schema', run: checkErasures },
]

const TREATMENTS: Readonly<Record<Treatment, string>> = { keep: 'kept', hash: 'hashed', drop: 'dropped' }

async function listFields({ app }: CheckContext): Promise<Finding[]> {
  const fields = treatedFields(app.warehouse.personalPolicy)
  return Object.entries(TREATMENTS).flatMap(([treatment, verb]): Finding[] => {
    const names = fields.filter((field) => field.treatment === treatment).map(({ name }) => name)
    return names.length === 0 ? [] : [{ name: `personal data: ${verb}`, verdict: 'ok', detail: names.join(', ') }]
  })
}

async function checkPolicy({ app }: CheckContext): Promise<Finding[]> {
  const name = 'personal data: policy'
  const { db, personalPolicy } = app.warehouse
  await requirePolicy(db, personalPolicy)
  if (!(await isApplicationPending(db)))
    return [{ name, verdict: 'ok', detail: 'is that under which the database is filled' }]
  return [
    {
      name,
      verdict: 'failed',
      detail: 'was not applied to everything that is stored: an application was interrupted, or is under way',
      fix: `If none is under way, run: ${commandLine('erase --apply-policy')}`,
    },
  ]
}

/** Up to where fields are null whatever the policy, whether what is stored follows, and whether the settings still want it. */
async function checkRetention({ app }: CheckContext): Promise<Finding[]> {
  const name = 'personal data: retention'
  const { retentionMonths } = app.config.personalData
  const { retentionMonths: historyMonths } = app.config.history
  if (retentionMonths !== null && historyMonths !== null && retentionMonths >= historyMonths)
    return [
      {
        name,
        verdict: 'warning',
        detail: `PII_RETENTION_MONTHS=${retentionMonths} has no effect: HISTORY_RETENTION_MONTHS=${historyMonths} drops older conversations whole`,
        fix: 'Set PII_RETENTION_MONTHS to fewer months, or to off.',
      },
    ]
  const { floor, isApplied } = await selectRetention(app.warehouse.db)
  if (floor === null) {
    const detail =
      retentionMonths === null ? 'unlimited' : `${retentionMonths} months, from the next run of the history on`
    return [{ name, verdict: 'ok', detail }]
  }
  const wanted = retentionMonths === null ? 'off' : String(retentionMonths)
  const detail = `dropped from conversations that started before ${floor.slice(0, 10)}: all of the fields above but those of dim_users (PII_RETENTION_MONTHS=${wanted})`
  if (isApplied) return [{ name, verdict: 'ok', detail }]
  return [
    {
      name,
      verdict: 'warning',
      detail: `${detail}; some of what is stored does not follow yet`,
      fix: `The nightly sync goes on; to do it now: ${commandLine('sync')}`,
    },
  ]
}

/** Whether what was to be erased is gone. */
async function checkErasures({ app }: CheckContext): Promise<Finding[]> {
  const name = 'personal data: erasures'
  const { unfinished, conversations, oldestAt } = await selectErasures(app.warehouse.db)
  if (oldestAt === null) return [{ name, verdict: 'ok', detail: 'all are complete' }]
  return [
    {
      name,
      verdict: 'failed',
      detail: `${unfinished} not complete since ${oldestAt.toISOString().slice(0, 16)}Z, ${conversations} conversations to delete: interrupted, or under way`,
      fix: `If none is under way, run the same command again, or ${commandLine('sync')}, which completes it.`,
    },
  ]
}

/** Checks of personal data: what the policy makes of each field, and whether what is stored follows it. */
import { commandLine } from '../../command-line.ts'
import { treatedFields, type Treatment } from '../../model/personal.ts'
import { requirePolicy } from '../../postgres/personal-policy.ts'
import { selectErasures } from '../../monitoring/status-queries.ts'
import { isApplicationPending } from '../../privacy/apply-policy.ts'
import { type Check, type CheckContext, type Finding } from './check.ts'

export const personalDataChecks: readonly Check[] = [
  { name: 'personal data', run: listFields },
  { name: 'personal data: policy', needs: 'schema', run: checkPolicy },
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

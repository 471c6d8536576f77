import { userInfo } from 'node:os'
import { openApp, type App } from '../app.ts'
import { commandLine } from '../command-line.ts'
import { EtlError } from '../errors.ts'
import { requireCurrentSchema } from '../postgres/migrate.ts'
import { erase as eraseTraces, previewErasure, type Erasure } from '../privacy/erase.ts'
import { applyGdprRequests } from '../privacy/gdpr-requests.ts'
import { findPerson, isMostOfHistory, type PersonKeys } from '../privacy/find-person.ts'
import { addUpAfterRun } from '../reporting/rollups.ts'
import { runJob } from '../runs/run-job.ts'
import { applyPolicy, refuseOtherOptions, type ApplyPolicyOptions } from './apply-policy.ts'
import { type CommandContext } from './context.ts'
import { personKeys, printRetention, refusePersonOptions, type PersonOptions } from './person-options.ts'
import { formatCount, formatNumber, table, type Output } from './print.ts'

interface EraseOptions extends PersonOptions, ApplyPolicyOptions {
  /** Whether what was deleted at Genesys on request is erased. */
  readonly fromGenesys: boolean
  readonly dryRun: boolean
  readonly keepStatistics: boolean
  readonly yes: boolean
}

/** `erase`: deletes what is stored about a person, and keeps it from coming back; with `--dry-run` it only says what it would delete. */
export async function erase(options: EraseOptions, context: CommandContext): Promise<void> {
  if (options.applyPolicy || options.acceptMix) {
    refuseOtherOptions(options)
    await applyPolicy(options, context)
    return
  }
  if (options.fromGenesys) {
    await eraseFromGenesys(options, context)
    return
  }
  const { env, output, signal } = context
  const { kind, keys, recordHashes } = personKeys(options)
  await using app = await openApp(env, { database: true })
  if (options.dryRun) {
    await requireCurrentSchema(app.warehouse.db)
    await preview(app, keys, options, context)
    await printRetention(app.warehouse, kind, output)
    return
  }
  await app.ensureSchema()
  const count = Object.values(keys).flat().length + recordHashes.length
  const parameters = { by: kind, keys: count, keepStatistics: options.keepStatistics }
  const request = { job: 'erase', trigger: 'manual', parameters } as const
  const { counts } = await runJob(app, request, signal, async (_run, jobSignal) => {
    const traces = await findPerson(app.warehouse, keys, jobSignal)
    if (!options.yes && kind !== 'conversation_id') await refuseMost(app, traces.conversationIds.size)
    const { keepStatistics } = options
    const erasure = { traces, recordHashes, kind, keys: count, keepStatistics, osUser: osUser() }
    return { counts: await eraseTraces(app, erasure, jobSignal) }
  })
  await addUpAfterRun(app, signal)
  output.data(counts)
  printErasure(output, counts)
  await printRetention(app.warehouse, kind, output)
}

async function eraseFromGenesys(
  { dryRun, keepStatistics, yes, ...others }: EraseOptions,
  { env, output, signal }: CommandContext,
): Promise<void> {
  refusePersonOptions(others)
  await using app = await openApp(env, { genesys: true, database: true })
  if (dryRun) await requireCurrentSchema(app.warehouse.db)
  else await app.ensureSchema()
  const options = { dryRun, keepStatistics, evenMany: yes, osUser: osUser() }
  const requests = await applyGdprRequests({ ...app, genesys: app.genesys() }, options, 'manual', signal)
  if (!dryRun) await addUpAfterRun(app, signal)
  output.data({ dryRun, requests })
  if (requests.length === 0) output.line('Genesys has no requests to delete a person.')
  else
    output.line(
      table(
        ['request', 'at Genesys', dryRun ? 'would be' : 'here', 'conversations'],
        requests.map(({ requestId, status, outcome, conversations }) => [requestId, status, outcome, conversations]),
      ),
    )
  await printRetention(app.warehouse, 'gdpr_request', output)
}

async function preview(
  app: App,
  keys: PersonKeys,
  { keepStatistics }: EraseOptions,
  { output, signal }: CommandContext,
): Promise<void> {
  const traces = await findPerson(app.warehouse, keys, signal)
  const found = await previewErasure(app.warehouse.db, traces, keepStatistics)
  const { conversationIds, stored, rejectedRecords, rows } = found
  output.data({ dryRun: true, conversations: conversationIds, stored, rejectedRecords, rows })
  output.line(
    `${formatCount(conversationIds.length, 'conversation')} would be erased; ${formatNumber(stored)} of them are stored.`,
  )
  for (const id of conversationIds) output.line(`    ${id}`)
  if (Object.keys(rows).length > 0) output.line(table(['table', 'rows'], Object.entries(rows)))
}

/**
 * Refuses to erase by an address or a contact that a large part of the history has: such as the organization's own number.
 * @throws EtlError ERASES_MOST
 */
async function refuseMost(app: App, conversations: number): Promise<void> {
  if (!(await isMostOfHistory(app.warehouse.db, conversations))) return
  throw new EtlError(`${formatCount(conversations, 'conversation')} would be erased, which are many for one person`, {
    code: 'ERASES_MOST',
    kind: 'fatal',
    hint: `Look at them with ${commandLine('erase --dry-run')}; if all of them are meant, repeat the command with --yes.`,
  })
}

function printErasure(output: Output, { id, conversations, rejectedRecords, deleted }: Erasure): void {
  output.line(
    `Erasure ${id}: ${formatCount(conversations, 'conversation')} and ${formatCount(rejectedRecords, 'rejected record')} erased. They are not loaded again.`,
  )
  if (Object.keys(deleted).length > 0) output.line(table(['table', 'rows'], Object.entries(deleted)))
}

/** Who runs the command; null where the system does not say. */
function osUser(): string | null {
  try {
    return userInfo().username
  } catch {
    return null
  }
}

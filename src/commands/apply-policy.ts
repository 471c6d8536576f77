import { openApp, type App } from '../app.ts'
import { ConfigError } from '../errors.ts'
import { retentionFloor } from '../model/retention.ts'
import { readDatabaseClock } from '../postgres/clock.ts'
import { applyPolicyToStored } from '../privacy/apply-policy.ts'
import { addUpAfterRun } from '../reporting/rollups.ts'
import { type CommandContext } from './context.ts'
import { formatCount } from './print.ts'

export interface ApplyPolicyOptions {
  readonly applyPolicy: boolean
  readonly acceptMix: boolean
}

/**
 * `erase --apply-policy`: applies the policy for personal data of the environment to what is stored. `--accept-mix` accepts it for what is
 * loaded from now on.
 */
export async function applyPolicy(
  { applyPolicy: rewrite, acceptMix }: ApplyPolicyOptions,
  { env, output, signal }: CommandContext,
): Promise<void> {
  await using app = await openApp(env, { database: true })
  await app.ensureSchema({ anyPolicy: true })
  const progress = app.progress('conversations')
  const dependencies = {
    warehouse: app.warehouse,
    logger: app.logger,
    onPlan: (conversations: number) => progress.plan('apply-policy', conversations),
    onProgress: (conversations: number) => progress.advance(conversations),
  }
  const floor = await wantedFloor(app)
  const counts = await applyPolicyToStored(dependencies, { rewrite, acceptMix, floor }, signal).finally(() =>
    progress.finish(),
  )
  await addUpAfterRun(app, signal)
  output.data(counts)
  output.line(
    rewrite
      ? `Applied the policy to ${formatCount(counts.conversations, 'conversation')}: ${formatCount(counts.rewritten, 'conversation')}, ` +
          `${formatCount(counts.rejectedRecords, 'rejected record')} and ${formatCount(counts.referenceRows, 'row')} of reference data have changed.`
      : 'The policy holds for what is loaded from now on; what is stored stays as it is.',
  )
  if (acceptMix)
    output.line(
      floor === null
        ? 'Conversations of every month may hold personal data.'
        : `Conversations that started before ${floor.slice(0, 10)} hold none from now on.`,
    )
}

/** The floor of the retention that the settings want. */
async function wantedFloor({ config, warehouse }: App): Promise<string | null> {
  const { retentionMonths } = config.personalData
  if (retentionMonths === null) return null
  const clock = await readDatabaseClock(warehouse.db)
  return retentionFloor(clock.now(), retentionMonths).toISOString()
}

/** @throws ConfigError where the options of an erasure are given beside those of the policy */
export function refuseOtherOptions(options: object): void {
  const others = Object.entries(options).filter(
    ([name, value]) => !['applyPolicy', 'acceptMix', 'json'].includes(name) && value !== undefined && value !== false,
  )
  if (others.length > 0)
    throw new ConfigError(
      '--apply-policy and --accept-mix change all that is stored, so nothing else can be named with them',
    )
}

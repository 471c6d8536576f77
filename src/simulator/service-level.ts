import type { ControlSettings } from './control-settings.ts'
import { SERVICE_LEVEL_TARGET } from './org.ts'
import type { Json } from './conversation-plan.ts'

/** What the service level is computed from. */
export const SERVICE_LEVEL_BASIS: Readonly<Record<string, readonly string[]>> = {
  oServiceLevel: ['tAnswered', 'nOverSla', 'tAbandon', 'tShortAbandon', 'tFlowOut'],
}

/**
 * The service level of a group as the switches of the organization define it (Admin, Contact Center, Analytics): of all answered
 * contacts, and of those others that the switches include, the share that was answered in time.
 * @param values of each metric
 * @returns the statistics of oServiceLevel; undefined where nothing counts
 */
export function serviceLevelOf(
  values: ReadonlyMap<string, readonly bigint[]>,
  group: Json,
  settings: Readonly<ControlSettings>,
): Json | undefined {
  const events = (metric: string): number => values.get(metric)?.length ?? 0
  const late = Number((values.get('nOverSla') ?? []).reduce((total, value) => total + value, 0n))
  const answered = events('tAnswered')
  let denominator = answered
  if (settings.serviceLevelIncludesAbandons) {
    denominator += events('tAbandon')
    if (!settings.serviceLevelIncludesShortAbandons) denominator -= events('tShortAbandon')
  }
  if (settings.serviceLevelIncludesFlowOuts) denominator += events('tFlowOut')
  if (denominator === 0) return undefined
  const numerator = answered - late
  const target = group['queueId'] === undefined ? {} : { target: SERVICE_LEVEL_TARGET }
  return { ratio: numerator / denominator, numerator, denominator, ...target }
}

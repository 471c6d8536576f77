/**
 * Genesys' three switches of what counts in the service level. Its API does not tell them, but the numerator and denominator of
 * oServiceLevel do, wherever something that a switch is about has happened. Pure.
 */
import { addFigure, SERVICE_LEVEL_METRIC, type Cells } from './compare-cells.ts'

/** Columns of reporting.settings. */
export const SWITCHES = [
  'service_level_includes_abandons',
  'service_level_includes_short_abandons',
  'service_level_includes_flow_outs',
] as const

type Switch = (typeof SWITCHES)[number]

/** What counts in the denominator of the service level beside the answered. */
export type ServiceLevelSettings = Readonly<Record<Switch, boolean>>

/** All eight. */
export const allSettings: readonly ServiceLevelSettings[] = Array.from({ length: 8 }, (_, bits) => ({
  service_level_includes_abandons: (bits & 1) !== 0,
  service_level_includes_short_abandons: (bits & 2) !== 0,
  service_level_includes_flow_outs: (bits & 4) !== 0,
}))

/** How many groups of Genesys each of the eight settings explains, in the order of allSettings. */
export interface SwitchEvidence {
  /** Groups whose denominator tells some of the eight settings apart. */
  readonly groups: number
  readonly explained: readonly number[]
}

export const noEvidence: SwitchEvidence = { groups: 0, explained: allSettings.map(() => 0) }

/** What oServiceLevel says of the switches. */
export interface DerivedSwitches {
  /** Each switch as Genesys has it; null: nothing that happened tells. */
  readonly switches: Readonly<Record<Switch, boolean | null>>
  /** Settings that explain the most groups: the given ones where they do. */
  readonly settings: ServiceLevelSettings
  readonly groups: number
  /** Groups that not even these settings explain. */
  readonly contradicted: number
}

const NUMERATOR = `${SERVICE_LEVEL_METRIC}.numerator`
const DENOMINATOR = `${SERVICE_LEVEL_METRIC}.denominator`

/** Any number of events, or what a figure has changed by: the formula is linear. */
type Counts = (figure: string) => bigint

/**
 * Answered, with abandons, less short abandons, with flow-outs, as the settings say. Source of the formula:
 * help.mypurecloud.com/articles/configure-the-service-level-calculation.
 */
function denominatorOf(counts: Counts, settings: ServiceLevelSettings): bigint {
  const abandons = settings.service_level_includes_abandons
    ? counts('tAbandon.count') - (settings.service_level_includes_short_abandons ? 0n : counts('tShortAbandon.count'))
    : 0n
  return (
    counts('tAnswered.count') + abandons + (settings.service_level_includes_flow_outs ? counts('tFlowOut.count') : 0n)
  )
}

/** Adds the numerator and denominator of oServiceLevel to each cell of a queue, from its counts; they are no figures of users. */
export function addServiceLevel(cells: Cells, settings: ServiceLevelSettings): void {
  for (const { key, figures } of cells.values()) {
    if (key.userId !== null) continue
    const counts: Counts = (figure) => figures.get(figure) ?? 0n
    const [numerator, denominator] = [
      counts('tAnswered.count') - counts('nOverSla.count'),
      denominatorOf(counts, settings),
    ]
    addFigure(cells, key, NUMERATOR, numerator)
    addFigure(cells, key, DENOMINATOR, denominator)
  }
}

/** What the cells of Genesys say about its switches, on top of what is known. Only their own counts are used. */
export function observeSwitches(known: SwitchEvidence, theirs: Cells): SwitchEvidence {
  let { groups } = known
  const explained = [...known.explained]
  for (const { key, figures } of theirs.values()) {
    if (key.userId !== null) continue
    const counts: Counts = (figure) => figures.get(figure) ?? 0n
    const denominators = allSettings.map((settings) => denominatorOf(counts, settings))
    if (denominators.every((each) => each === denominators[0])) continue
    groups += 1
    denominators.forEach((each, index) => {
      if (each === counts(DENOMINATOR)) explained[index]! += 1
    })
  }
  return { groups, explained }
}

/**
 * The switches that explain the most groups. A switch on which the settings that do so disagree is not determined: nothing that it is about
 * happened, or, for short abandons, no abandon counts at all.
 */
export function deriveSwitches({ groups, explained }: SwitchEvidence, current: ServiceLevelSettings): DerivedSwitches {
  const most = Math.max(...explained)
  const best = allSettings.filter((_, index) => explained[index] === most)
  const isKnown = groups > 0 && most > 0
  const valueOf = (name: Switch): boolean | null => {
    const values = new Set(best.map((settings) => settings[name]))
    return isKnown && values.size === 1 ? best[0]![name] : null
  }
  const isCurrent = (settings: ServiceLevelSettings): boolean =>
    SWITCHES.every((name) => settings[name] === current[name])
  const settings = isKnown ? (best.find(isCurrent) ?? best[0]!) : current
  return {
    switches: Object.fromEntries(SWITCHES.map((name) => [name, valueOf(name)])) as DerivedSwitches['switches'],
    settings,
    groups,
    contradicted: groups - most,
  }
}

/** The columns of reporting.settings that are not as Genesys has them. */
export function differingSwitches(
  { switches }: Pick<DerivedSwitches, 'switches'>,
  current: ServiceLevelSettings,
): Switch[] {
  return SWITCHES.filter((name) => switches[name] !== null && switches[name] !== current[name])
}

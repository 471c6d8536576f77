/**
 * Proves that our intervals have Genesys' own numbers: asks for its aggregates, compares them figure by figure, and explains each
 * difference by the conversations that count differently.
 */
import { AGGREGATES_PATH, AGGREGATES_PERMISSION } from '../genesys/conversation-aggregates.ts'
import { type GenesysClient, type RequestOptions } from '../genesys/client.ts'
import { isFiltered, type DetailsFilter } from '../genesys/details-query.ts'
import { GenesysError } from '../genesys/errors.ts'
import { limitInFlight } from '../genesys/in-flight.ts'
import { probeDivisions } from '../genesys/probes.ts'
import { refuseForeignOrganization } from '../loader/organization.ts'
import { addDays, startOfDay, type Interval } from '../model/interval.ts'
import type { Logger } from '../log.ts'
import type { Progress } from '../progress.ts'
import type { Warehouse } from '../postgres/connect.ts'
import { readDatabaseClock } from '../postgres/clock.ts'
import { type Run, type RunTrigger } from '../runs/run-history.ts'
import { runJob } from '../runs/run-job.ts'
import { classifyDifferences, isExpected, type ClassifiedDifference, type DifferenceClass } from './classify.ts'
import { compareCells, type Cells, type Difference } from './compare-cells.ts'
import { judgeDays, type JudgedDay } from './comparable-days.ts'
import { readOurCells, readTheirCells, type Scope } from './read-cells.ts'
import { pruneReconciliations, storeComparedDay, storeSwitches, type ComparedDay } from './reconciliation-store.ts'
import { searchEvidence } from './search-evidence.ts'
import {
  addServiceLevel,
  deriveSwitches,
  differingSwitches,
  noEvidence,
  observeSwitches,
  type DerivedSwitches,
  type ServiceLevelSettings,
  type SwitchEvidence,
} from './service-level.ts'
import { selectSettings } from './settings.ts'

/** What reconcile works with. */
export interface ReconcileDependencies {
  readonly genesys: GenesysClient
  readonly warehouse: Warehouse
  readonly logger: Logger
  readonly progress: Progress
  /** What the history loads, and how many requests may be in flight. */
  readonly history: { readonly filter: DetailsFilter; readonly concurrency: number }
  /** The intervals that the history has loaded completely, merged. */
  readonly readCovered: (now: Date) => Promise<readonly Interval[]>
}

/** What a comparison has found. */
export interface Reconciliation {
  readonly byUser: boolean
  /** The days that were compared, without their differences. */
  readonly days: readonly {
    readonly day: Interval
    readonly cells: number
    readonly differences: number
    readonly expected: number
  }[]
  /** The days that were not, and why. */
  readonly skipped: readonly { readonly day: Interval; readonly reason: string }[]
  readonly differences: readonly ClassifiedDifference[]
  /** How many figures are of each class. */
  readonly classes: Readonly<Partial<Record<DifferenceClass, number>>>
  readonly serviceLevel: DerivedSwitches & {
    /** Columns of reporting.settings that are not as Genesys has them. */
    readonly differing: readonly string[]
  }
}

/** How a run ended: with a comparison, or with the refusal of Genesys to give its aggregates. */
type Outcome = { readonly counts: ReconcileCounts } & (
  | { readonly reconciliation: Reconciliation }
  | { readonly forbidden: GenesysError }
)

/** What etl.runs has of a run. */
interface ReconcileCounts {
  readonly days: number
  readonly skipped: number
  readonly cells: number
  readonly differences: number
  readonly expected: number
  /** The permission that the client lacks; null: none. */
  readonly missingPermission: string | null
}

/**
 * Compares days (each within one UTC day) and stores what it finds, day by day. A day that cannot be compared is skipped.
 * @throws GenesysError GENESYS_FORBIDDEN without the permission, which is no failure of the run
 * @throws EtlError FOREIGN_ORGANIZATION, JOB_ALREADY_RUNNING, a GenesysError or a database error
 */
export async function reconcileDays(
  dependencies: ReconcileDependencies,
  request: { readonly days: readonly Interval[]; readonly byUser: boolean },
  trigger: RunTrigger,
  signal: AbortSignal,
): Promise<Reconciliation> {
  const { history } = dependencies
  const [first, last] = [request.days[0], request.days.at(-1)]
  const parameters = { filter: history.filter, from: first?.start, to: last?.end, byUser: request.byUser }
  const outcome = await runJob(dependencies, { job: 'reconcile', trigger, parameters }, signal, (run, jobSignal) =>
    compareDays(dependencies, request, run, { priority: 'history', signal: jobSignal }),
  )
  if ('forbidden' in outcome) throw outcome.forbidden
  return outcome.reconciliation
}

async function compareDays(
  dependencies: ReconcileDependencies,
  { days, byUser }: { readonly days: readonly Interval[]; readonly byUser: boolean },
  run: Run,
  options: RequestOptions,
): Promise<Outcome> {
  const { warehouse, history, progress } = dependencies
  const genesys = limitInFlight(dependencies.genesys, history.concurrency)
  await refuseForeignOrganization(genesys, warehouse, options.signal)
  const now = (await readDatabaseClock(warehouse.db)).now()
  const judged = await judgeDays(warehouse.db, days, await dependencies.readCovered(now), now, byUser)
  const comparable = judged.filter(({ refusal }) => refusal === null)
  const settings = await selectSettings(warehouse.db)
  const comparer = new Comparer({ ...dependencies, genesys }, settings, byUser, options)
  const compared: ComparedDay[] = []
  progress.plan('reconcile', comparable.length)
  try {
    for (const day of comparable) {
      const result = await comparer.compare(day)
      await storeComparedDay(warehouse.db, run, history.filter, result)
      compared.push(result)
      progress.advance(1)
    }
  } catch (error) {
    if (error instanceof GenesysError && isForbidden(error))
      return { counts: countsOf(compared, judged, AGGREGATES_PERMISSION), forbidden: error }
    throw error
  } finally {
    progress.finish()
  }
  const derived = comparer.switches()
  await storeSwitches(warehouse.db, derived)
  await pruneReconciliations(warehouse.db)
  return {
    counts: countsOf(compared, judged, null),
    reconciliation: {
      byUser,
      days: compared.map(({ day, cells, differences }) => ({ day, cells, ...countDifferences(differences) })),
      skipped: judged.flatMap(({ day, refusal }) => (refusal === null ? [] : [{ day, reason: refusal }])),
      differences: compared.flatMap(({ differences }) => differences),
      classes: countClasses(compared),
      serviceLevel: { ...derived, differing: differingSwitches(derived, settings) },
    },
  }
}

/** Compares one day after the other, and learns the switches of the service level from all of them. */
class Comparer {
  readonly #dependencies: ReconcileDependencies
  readonly #settings: ServiceLevelSettings
  readonly #byUser: boolean
  readonly #options: RequestOptions
  #evidence: SwitchEvidence = noEvidence
  #divisions: Promise<ReadonlySet<string> | null> | undefined

  constructor(
    dependencies: ReconcileDependencies,
    settings: ServiceLevelSettings,
    byUser: boolean,
    options: RequestOptions,
  ) {
    this.#dependencies = dependencies
    this.#settings = settings
    this.#byUser = byUser
    this.#options = options
  }

  switches(): DerivedSwitches {
    return deriveSwitches(this.#evidence, this.#settings)
  }

  async compare({ day, firstDay }: JudgedDay): Promise<ComparedDay> {
    const { genesys, warehouse, history } = this.#dependencies
    const scope = { range: day, byUser: this.#byUser }
    const theirs = await readTheirCells(genesys, scope, history.filter, this.#options)
    const ours = await readOurCells(warehouse.db, scope)
    this.#evidence = observeSwitches(this.#evidence, theirs)
    const { settings } = this.switches()
    addServiceLevel(ours, settings)
    const differences = compareCells(ours, theirs)
    return {
      day,
      isWhole: +day.start === +startOfDay(day.start) && +day.end === +addDays(day.start, 1),
      byUser: this.#byUser,
      cells: countCells(ours, theirs),
      differences: differences.length === 0 ? [] : await this.#explain(differences, scope, firstDay, settings),
    }
  }

  async #explain(
    differences: readonly Difference[],
    scope: Scope,
    firstDay: Date,
    settings: ServiceLevelSettings,
  ): Promise<ClassifiedDifference[]> {
    const { genesys, warehouse, history } = this.#dependencies
    const visibleDivisions = await (this.#divisions ??= this.#visibleDivisions())
    const { evidence, inCell, isBeforeFirstDayUnread } = await searchEvidence(
      {
        db: warehouse.db,
        genesys,
        options: this.#options,
        filter: history.filter,
        concurrency: history.concurrency,
        scope,
        firstDay,
        visibleDivisions,
        settings,
      },
      differences,
    )
    return classifyDifferences(differences, evidence, {
      // the aggregates are asked with the other filters of the history
      isFiltered: isFiltered({ minDurationSeconds: history.filter.minDurationSeconds }),
      isLimitedToDivisions: visibleDivisions !== null,
      mayBeBeforeFirstDay: isBeforeFirstDayUnread,
      inCell,
    })
  }

  /** The divisions in which we see both conversations and aggregates; null: all, or Genesys does not say. */
  async #visibleDivisions(): Promise<ReadonlySet<string> | null> {
    const { genesys } = this.#dependencies
    const visible: Set<string>[] = []
    let all = 0
    try {
      for (const permission of ['analytics:conversationDetail:view', AGGREGATES_PERMISSION]) {
        const found = await probeDivisions(genesys, permission, this.#options)
        all = found.all.length
        if (found.visible !== null) visible.push(new Set(found.visible.map(({ id }) => id)))
      }
    } catch (error) {
      if (error instanceof GenesysError && error.kind === 'fatal') return null
      throw error
    }
    const [details = new Set<string>(), ...others] = visible
    const common = new Set([...details].filter((id) => others.every((each) => each.has(id))))
    return visible.length === 0 || common.size >= all ? null : common
  }
}

/** The client may not read aggregates; a refusal of anything else is a failure of the run. */
function isForbidden(error: GenesysError): boolean {
  return error.code === 'GENESYS_FORBIDDEN' && error.path === AGGREGATES_PATH
}

function countCells(ours: Cells, theirs: Cells): number {
  return new Set([...ours.keys(), ...theirs.keys()]).size
}

function countDifferences(differences: readonly ClassifiedDifference[]): { differences: number; expected: number } {
  const expected = differences.filter((difference) => isExpected(difference.class)).length
  return { differences: differences.length - expected, expected }
}

function countClasses(compared: readonly ComparedDay[]): Partial<Record<DifferenceClass, number>> {
  const classes: Partial<Record<DifferenceClass, number>> = {}
  for (const { differences } of compared)
    for (const difference of differences) classes[difference.class] = (classes[difference.class] ?? 0) + 1
  return classes
}

function countsOf(
  compared: readonly ComparedDay[],
  judged: readonly JudgedDay[],
  missingPermission: string | null,
): ReconcileCounts {
  const all = countDifferences(compared.flatMap(({ differences }) => differences))
  return {
    days: compared.length,
    skipped: judged.filter(({ refusal }) => refusal !== null).length,
    cells: compared.reduce((sum, { cells }) => sum + cells, 0),
    ...all,
    missingPermission,
  }
}

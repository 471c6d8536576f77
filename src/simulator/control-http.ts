import { ApiError } from './api-error.ts'
import type { Attributes } from './attributes.ts'
import type { JobFate } from './details-jobs.ts'
import type { DriftRule } from './changes.ts'
import type { FaultRule } from './faults.ts'
import { DAY_MS, type ScenarioKind } from './generate.ts'
import type { SimulatorControl } from './contract.ts'
import type { GdprRequest } from './gdpr-requests.ts'
import type { MalformedKind } from './malformed-records.ts'
import type { Json } from './conversation-plan.ts'
import type { ListName } from './reference-store.ts'

/** The controls, and what the control API can read. */
export interface ControlSources {
  readonly control: SimulatorControl
  /** The JSON of each conversation that a complete query returns, of one UTC day (days since 1970) or of all. */
  readonly truthLines: (day?: number) => Buffer[]
  readonly requests: () => readonly unknown[]
  readonly violations: () => number
}

/**
 * Answers `/_simulator/…`, with which another process controls the simulator:
 *
 * - `GET truth?day=YYYY-MM-DD`: JSON lines; `GET requests`, `GET violations`, `GET clock`
 * - `POST clock` `{ "now": instant }` or `{ "advanceMs": n }`
 * - `POST faults` a rule or a list; `DELETE faults`; `POST drift` a rule or a list; `DELETE drift`
 * - `POST settings` `{ latencyMs, dateSkewMs, totalHitsOffset, totalHitsJitter, duplicateShare, paginationLimit, closingDelayMs,
 *   nothingHappensAfter, maxPageSize, aggregateIntervalDays, aggregateCellLimit, serviceLevelIncludesAbandons, serviceLevelIncludesShortAbandons,
 *   serviceLevelIncludesFlowOuts, dataLagMs, jobQueuedMs, jobPendingMs, jobsAtOnce, jobLimitStatus, jobPageSize }`, each optional
 * - `GET jobs`; `POST jobs` what becomes of the next details jobs: `{ "ends", "extraMs", "expiresAfterPages" }` or a list
 * - `POST gdpr-requests` a request or a list: `{ "id", "requestType", "status", "subject", "createdDate" }`; one with a known id is replaced
 * - `POST revoke-tokens`
 * - `POST change` `{ "do": "begin" | "add" | "replace" | "remove" | "restore" | "end" | "addWrapUp" | "addEvaluation" |
 *   "reopen" | "correctStart" | "setAttributes", "id", "kind", "at", "malformed", "conversation", "attributes" }`
 * - `POST reference` `{ "do": "add" | "change" | "rename" | "delete" | "deletePermanently" | "restore", "list", "id", "name", "fields" }`:
 *   changes a list of reference data, such as `users`; `{ "do": "repeatPages", "path" }` makes all pages of a list the first one
 *
 * @throws ApiError 400 and 404
 */
export function answerControl(
  method: string,
  path: string,
  query: URLSearchParams,
  body: string,
  sources: ControlSources,
): Json | Buffer {
  const { control } = sources
  const name = `${method} ${path.slice('/_simulator/'.length)}`
  const given = (): Json => JSON.parse(body === '' ? '{}' : body) as Json
  const rules = <T>(): T[] => [given()].flat() as T[]
  try {
    switch (name) {
      case 'GET truth': {
        const day = query.get('day')
        const lines = sources.truthLines(day === null ? undefined : Date.parse(`${day}T00:00:00Z`) / DAY_MS)
        return Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')]))
      }
      case 'GET requests':
        return { requests: sources.requests() }
      case 'GET violations':
        return { violations: sources.violations() }
      case 'GET clock':
        return { now: new Date(control.clock.now()).toISOString() }
      case 'POST clock': {
        const { now, advanceMs } = given()
        if (now !== undefined) control.clock.set(instantOf(now) ?? control.clock.now())
        if (advanceMs !== undefined) control.clock.advance(Number(advanceMs))
        return { now: new Date(control.clock.now()).toISOString() }
      }
      case 'POST faults':
        control.faults.add(...rules<FaultRule>())
        return {}
      case 'DELETE faults':
        control.faults.clear()
        return {}
      case 'POST drift':
        control.changes.drift(...rules<DriftRule>())
        return {}
      case 'DELETE drift':
        control.changes.clearDrift()
        return {}
      case 'GET jobs':
        return { jobs: control.jobs.list() }
      case 'POST jobs':
        control.jobs.plan(...rules<JobFate>())
        return {}
      case 'POST gdpr-requests':
        for (const request of rules<GdprRequest>()) control.gdprRequests.put(request)
        return {}
      case 'POST settings':
        control.set(given())
        return {}
      case 'POST revoke-tokens':
        control.revokeTokens()
        return {}
      case 'POST change':
        return change(control, given())
      case 'POST reference':
        changeReference(control, given())
        return {}
      default:
        throw new ApiError(404, 'not.found', `The simulator has no control ${name}.`)
    }
  } catch (error) {
    if (error instanceof RangeError || error instanceof SyntaxError)
      throw new ApiError(400, 'bad.request', error.message)
    throw error
  }
}

/** @throws ApiError 400; RangeError for an id or a list that there is not */
function changeReference({ reference }: SimulatorControl, given: Json): void {
  const list = given['list'] as ListName
  const id = String(given['id'])
  const fields = (given['fields'] ?? {}) as Json
  switch (given['do']) {
    case 'add':
      reference.add(list, { id, name: given['name'], ...fields })
      return
    case 'rename':
      reference.change(list, id, { name: given['name'] })
      return
    case 'change':
      reference.change(list, id, fields)
      return
    case 'delete':
    case 'deletePermanently':
    case 'restore':
      reference[given['do']](list, id)
      return
    case 'repeatPages':
      reference.repeatedList = typeof given['path'] === 'string' ? given['path'] : null
      return
    default:
      throw new ApiError(400, 'bad.request', `unknown change of reference data: ${String(given['do'])}`)
  }
}

/** An instant of a request in milliseconds; undefined where there is none. */
function instantOf(value: unknown): number | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined
  const instant = new Date(value).getTime()
  if (Number.isNaN(instant)) throw new RangeError(`not an instant: ${value}`)
  return instant
}

function change(control: SimulatorControl, given: Json): Json {
  const { changes } = control
  const id = String(given['id'])
  const at = instantOf(given['at'])
  const conversation = given['conversation'] as Json
  switch (given['do']) {
    case 'begin':
      return {
        id: changes.begin(
          given['kind'] as ScenarioKind | undefined,
          at,
          given['malformed'] as MalformedKind | undefined,
        ),
      }
    case 'add':
      changes.add(conversation)
      return {}
    case 'replace':
      changes.replace(id, conversation)
      return {}
    case 'correctStart':
      changes.correctStart(id, at ?? NaN)
      return {}
    case 'setAttributes':
      changes.setAttributes(id, given['attributes'] as Attributes)
      return {}
    case 'addEvaluation':
      return { id: changes.addEvaluation(id) }
    case 'remove':
    case 'restore':
    case 'end':
    case 'addWrapUp':
    case 'reopen':
      changes[given['do']](id)
      return {}
    default:
      throw new ApiError(400, 'bad.request', `unknown change: ${String(given['do'])}`)
  }
}

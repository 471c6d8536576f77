/** The simulated organization's own history of changes: every version of every conversation that was shown at an instant that was noted. */
import { contentHash } from '../../src/model/content-hash.ts'
import type { JsonObject } from '../../src/model/json.ts'
import type { Simulator } from '../../src/simulator/server.ts'
import { parseTruth } from './truth.ts'

/** What made a version differ from the one before. */
export type Change = 'begun' | 'continued' | 'reopened' | 'corrected' | 'followed up' | 'moved' | 'deleted'

/** A version of a conversation. */
export interface Version {
  /** The first noted instant that showed it, in milliseconds. */
  readonly at: number
  readonly change: Change
  /** Of its content; null: it was deleted. */
  readonly hash: string | null
  readonly start: number
  /** When it ended; null: it is open. */
  readonly end: number | null
}

interface Known {
  text: string
  followUps: string
  readonly versions: Version[]
}

/** Genesys' nightly process does not touch what is younger. */
const CORRECTED_AFTER_MS = 48 * 3_600_000

export class TruthLog {
  readonly #known = new Map<string, Known>()
  readonly #instants: number[] = []

  /** Notes what the organization shows at an instant. */
  note(org: Pick<Simulator, 'truthText'>, at: number): void {
    this.#instants.push(at)
    const gone = new Set(this.#known.keys())
    for (const text of org.truthText()) {
      const id = /"conversationId":"([^"]+)"/.exec(text)?.[1] ?? ''
      gone.delete(id)
      const known = this.#known.get(id)
      if (known?.text !== text) this.#add(id, known, text, at)
    }
    for (const id of gone) {
      const known = this.#known.get(id)
      const last = known?.versions.at(-1)
      if (!known || !last || last.hash === null) continue
      known.text = ''
      known.versions.push({ ...last, at, change: 'deleted', hash: null })
    }
  }

  ids(): Iterable<string> {
    return this.#known.keys()
  }

  /** The versions of a conversation, oldest first. */
  versionsOf(id: string): readonly Version[] {
    return this.#known.get(id)?.versions ?? []
  }

  /** The last noted instant at which a content was shown, in milliseconds; null: none. */
  lastShown(id: string, hash: string): number | null {
    const versions = this.versionsOf(id)
    const place = versions.findLastIndex((version) => version.hash === hash)
    if (place === -1) return null
    const next = versions[place + 1]?.at ?? Number.POSITIVE_INFINITY
    return this.#instants.findLast((instant) => instant < next) ?? null
  }

  /** How many conversations changed in each way at least once. */
  counts(): Partial<Record<Change, number>> {
    const counts: Partial<Record<Change, number>> = {}
    for (const { versions } of this.#known.values())
      for (const change of new Set(versions.map((version) => version.change)))
        counts[change] = (counts[change] ?? 0) + 1
    return counts
  }

  #add(id: string, known: Known | undefined, text: string, at: number): void {
    const json = parseTruth(text)
    const followUps = JSON.stringify([json['evaluations'], json['surveys'], json['resolutions']])
    const version = {
      at,
      hash: contentHash(json),
      start: instantOf(json, 'conversationStart') ?? 0,
      end: instantOf(json, 'conversationEnd'),
    }
    const last = known?.versions.at(-1)
    if (!known || !last) {
      this.#known.set(id, { text, followUps, versions: [{ ...version, change: 'begun' }] })
      return
    }
    known.versions.push({ ...version, change: changeOf(last, version, followUps !== known.followUps) })
    known.text = text
    known.followUps = followUps
  }
}

function changeOf(before: Version, after: Omit<Version, 'change'>, isFollowedUp: boolean): Change {
  if (after.start !== before.start) return 'moved'
  if (before.end !== null && (after.end === null || after.end > before.end)) return 'reopened'
  if (isFollowedUp) return 'followed up'
  return before.end !== null && after.at - before.end >= CORRECTED_AFTER_MS ? 'corrected' : 'continued'
}

function instantOf(json: JsonObject, field: string): number | null {
  const value = json[field]
  return typeof value === 'string' ? Date.parse(value) : null
}

/** What `status --check` answers: whether the data is fresh and healthy, in one line and an exit code. Pure. */
import { type StatusDocument } from './status.ts'

/** The answer for a sensor. */
export interface HealthCheck {
  /** 0: fresh and healthy. 75: late, or failed in a way that may end by itself: check again. 1: somebody has to act. */
  readonly exitCode: 0 | 1 | 75
  /** Why, in one line. */
  readonly reason: string
}

/** Judges a status document. Trouble that lasts goes before trouble that may end by itself, and that before lateness. */
export function healthCheck(document: StatusDocument): HealthCheck {
  const troubles = document.problems.filter(({ severity }) => severity === 'trouble')
  const lasting = troubles.filter(({ isTemporary }) => !isTemporary)
  if (lasting.length > 0) return { exitCode: 1, reason: describe('failing', lasting) }
  if (troubles.length > 0) return { exitCode: 75, reason: describe('failing for now', troubles) }
  const { coveredUntil, firstDay, owed } = document.history
  const until = coveredUntil
    ? `complete until ${minute(coveredUntil)}`
    : `nothing is complete since ${minute(firstDay)}`
  if (document.state === 'behind') {
    const late = owed.length > 0 ? 'days are not loaded yet' : 'days are due to be read again'
    return { exitCode: 75, reason: `late: ${late}; ${until}` }
  }
  return { exitCode: 0, reason: `ok: everything due is loaded; ${until}` }
}

function describe(state: string, [first, ...others]: StatusDocument['problems']): string {
  const parts = [first?.title, first?.detail, first?.hint].filter((part) => part !== null && part !== undefined)
  const more = others.length > 0 ? ` (and ${others.length} more: see status)` : ''
  return `${state}: ${parts.map((part) => part.replaceAll(/\s+/g, ' ').replace(/[.!?]$/, '')).join('. ')}${more}`
}

function minute(instant: Date): string {
  return `${instant.toISOString().slice(0, 16)}Z`
}

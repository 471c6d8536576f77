/** What a sync does beside its windows: each part for itself, so that the failure of one costs no other. */
import { addLoadCounts, emptyLoadCounts } from '../loader/load-counts.ts'
import type { PartCounts, RunContext } from './context.ts'

/** A part that failed, and how. */
export interface PartFailure {
  readonly part: string
  readonly error: unknown
}

/** A part that has read nothing yet. */
export function emptyPartCounts(): PartCounts {
  return { ...emptyLoadCounts(), requests: 0 }
}

/**
 * Runs the parts one after the other. A failure is logged, and what the part is for stays due.
 * @returns the counts of the parts that ended well, by name, and the failures of the others
 * @throws the signal's reason
 */
export async function runParts(
  context: RunContext,
): Promise<{ counts: Record<string, PartCounts>; failures: PartFailure[] }> {
  const { syncParts = [], logger, run, signal } = context
  const log = logger.child({ job: run.job, runId: run.id })
  const counts: Record<string, PartCounts> = {}
  const failures: PartFailure[] = []
  for (const part of syncParts) {
    signal.throwIfAborted()
    try {
      const startedAt = performance.now()
      const counted = await part.run(context)
      counts[part.name] = counted
      const durationMs = Math.round(performance.now() - startedAt)
      log.info({ part: part.name, counts: counted, durationMs }, 'part of the sync done')
    } catch (error) {
      signal.throwIfAborted()
      failures.push({ part: part.name, error })
      log.warn({ part: part.name, err: error }, 'part of the sync failed; the next sync makes up for it')
    }
  }
  return { counts, failures }
}

/** The sum of two parts' counts. */
export function addParts(a: PartCounts, b: PartCounts): PartCounts {
  const refused = [...(a.refused ?? []), ...(b.refused ?? [])]
  return {
    ...addLoadCounts(a, b),
    requests: a.requests + b.requests,
    ...(refused.length > 0 && { refused }),
  }
}

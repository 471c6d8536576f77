/** What a check of `doctor` is, and what it finds. */
import { type App } from '../../app.ts'
import { EtlError } from '../../errors.ts'
import { type GenesysClient } from '../../genesys/client.ts'

/** What one check found. */
export interface Finding {
  readonly name: string
  readonly verdict: 'ok' | 'warning' | 'failed'
  readonly detail: string
  /** What to do, where it is not ok. */
  readonly fix?: string | undefined
}

/** What the checks work with. */
export interface CheckContext {
  readonly app: App
  readonly genesys: GenesysClient
  readonly signal: AbortSignal
}

/** One step of `doctor`. */
export interface Check {
  readonly name: string
  /** The check without whose success this one makes no sense: it is left out then. */
  readonly needs?: string
  /**
   * Looks, and gives what it found. An error that it throws is a failed finding of its name.
   * @param block to be called where the checks that need this one make no sense, although it did not fail
   */
  run(context: CheckContext, block: () => void): Promise<readonly Finding[]>
}

/** A finding for an error. */
export function failedFinding(name: string, error: unknown): Finding {
  if (error instanceof EtlError) return { name, verdict: 'failed', detail: error.message, fix: error.hint }
  return { name, verdict: 'failed', detail: error instanceof Error ? error.message : String(error) }
}

/**
 * Runs the checks in their order.
 * @param onFinding called with each finding as it comes
 * @throws the signal's reason when it is aborted
 */
export async function runChecks(
  checks: readonly Check[],
  context: CheckContext,
  onFinding: (finding: Finding) => void,
): Promise<void> {
  const blocked = new Set<string>()
  for (const check of checks) {
    const { name, needs } = check
    if (needs !== undefined && blocked.has(needs)) continue
    const block = (): unknown => blocked.add(name)
    try {
      const findings = await check.run(context, block)
      if (findings.some(({ verdict }) => verdict === 'failed')) block()
      findings.forEach(onFinding)
    } catch (error) {
      context.signal.throwIfAborted()
      block()
      onFinding(failedFinding(name, error))
    }
  }
}

import { type ReferenceSummary } from '../reference/read-reference.ts'
import { formatCount, type Output } from './print.ts'

/** 75, try again later, where a list could not be read for a passing reason; a missing permission costs its list alone, so it is 0. */
export function referenceExitCode({ results }: ReferenceSummary): number {
  return results.some(({ error }) => error?.kind === 'retryable') ? 75 : 0
}

/** Prints what reading reference data brought, and which lists could not be read. */
export function printReferenceSummary(output: Output, { counts, results }: ReferenceSummary): void {
  output.data({
    counts,
    lists: results.map(({ name, written, error }) => ({
      list: name,
      written,
      error: error && { code: error.code, message: error.message, hint: error.hint ?? null },
    })),
  })
  const read = counts.lists - counts.failed
  output.line(`${formatCount(read, 'list')} read, ${formatCount(counts.written, 'row')} written.`)
  for (const { name, error } of results) {
    if (error === null) continue
    output.line(`genesys.dim_${name} could not be read: ${error.message}`)
    if (error.hint) output.line(`    ${error.hint}`)
  }
}

/** Whether it can be that so many conversations are unknown to Genesys all at once. Pure. */

/** Below so many, all of them unknown at once is no sign of anything. */
const FEW = 20
/** Who is told the same for so long believes it. */
const BELIEVED_AFTER_MS = 5 * 60_000

/**
 * `plausible`: they leave. `implausible`: the snapshot is not believed, since a role that has lost its divisions looks the same.
 * `believed`: it has looked like that for a while, so that whatever took them away (a purge, or a role on purpose) stays.
 */
export type Verdict = 'plausible' | 'implausible' | 'believed'

/**
 * Judges a snapshot by how many of the conversations that were open are neither open nor ended.
 * @param open how many there were in the snapshot before, all told
 * @param disbelievedForMs since how long snapshots have been implausible one after the other; null: the one before was not
 */
export function judgeUnknown(unknown: number, open: number, disbelievedForMs: number | null): Verdict {
  if (unknown < FEW || unknown <= open / 2) return 'plausible'
  return disbelievedForMs !== null && disbelievedForMs >= BELIEVED_AFTER_MS ? 'believed' : 'implausible'
}

/** How a signal stops a process: gently first, at once by a second signal, and in any case by a deadline. */
import { exitCodeFor, Interrupted } from './errors.ts'

/** For all steps of a stop together. Below the grace periods of the deploy files, after which the process is killed silently. */
export const STOP_DEADLINE_MS = 45_000
/** Ctrl-C under npm comes twice, from the terminal and from npm; a person who means it sends the second one later. */
const SAME_SIGNAL_MS = 500

/**
 * Aborts the returned signal with SIGINT and SIGTERM; a second signal exits. Where the process has not ended by the deadline, because something does not
 * answer, it exits with 130 or 143.
 */
export function stopOnSignals({ deadlineMs }: { readonly deadlineMs: number }): AbortSignal {
  const stop = new AbortController()
  let stoppedAt = 0
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      const reason = new Interrupted(name)
      if (stop.signal.aborted) {
        if (performance.now() - stoppedAt > SAME_SIGNAL_MS) process.exit(exitCodeFor(reason))
        return
      }
      stoppedAt = performance.now()
      process.stderr.write(`\n${name}: finishing in-flight writes; send the signal again to exit immediately\n`)
      // what has nothing left to wait for ends before that
      setTimeout(() => exitAtDeadline(reason, deadlineMs), deadlineMs).unref()
      stop.abort(reason)
    })
  }
  return stop.signal
}

function exitAtDeadline(reason: Interrupted, deadlineMs: number): never {
  process.stderr.write(
    `${reason.signal}: not finished after ${Math.round(deadlineMs / 1000)} s, because the database or another connection does not ` +
      'answer; exiting now. Interrupted work is resumed by the next run.\n',
  )
  process.exit(exitCodeFor(reason))
}

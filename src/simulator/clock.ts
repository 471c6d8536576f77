/** The time of the simulated organization: fixed, or running at some speed. */
export interface OrgClock {
  /** Now, in milliseconds since 1970. */
  readonly now: () => number
  /** Jumps to an instant; a running clock goes on from there. */
  set(instant: number): void
  /** Jumps by milliseconds. */
  advance(milliseconds: number): void
}

/** An instant in any of the usual formats, or a function that returns it in milliseconds. */
export type ClockSetting = Date | string | number | (() => number) | undefined

/**
 * Makes the clock of the organization.
 * @param setting an instant, a function that returns milliseconds, or undefined for the machine's own time
 * @param speed seconds of the organization per real second; by default a given instant stands still
 * @throws RangeError when the setting is no instant
 */
export function createClock(setting: ClockSetting, speed = setting === undefined ? 1 : 0): OrgClock {
  if (typeof setting === 'function') {
    let shift = 0
    return {
      now: () => setting() + shift,
      set: (instant) => (shift = instant - setting()),
      advance: (milliseconds) => (shift += milliseconds),
    }
  }
  let base = setting === undefined ? Date.now() : new Date(setting).getTime()
  if (Number.isNaN(base)) throw new RangeError(`not an instant: ${String(setting)}`)
  let since = performance.now()
  const now = (): number => Math.floor(base + (performance.now() - since) * speed)
  const set = (instant: number): void => {
    base = instant
    since = performance.now()
  }
  return { now, set, advance: (milliseconds) => set(now() + milliseconds) }
}

/** A few places, first come first served: bounds how much happens at once. */
export interface Places {
  /** Waits for a free place and takes it; the returned function gives it back. */
  take(): Promise<() => void>
  /** Resolves when nobody waits for a place. */
  calm(): Promise<void>
}

/** `count` places. */
export function createPlaces(count: number): Places {
  let free = count
  const waiting: (() => void)[] = []
  let calmed: (() => void)[] = []
  const giveBack = (): void => {
    const next = waiting.shift()
    if (next) next()
    else free += 1
    if (waiting.length > 0) return
    for (const resolve of calmed) resolve()
    calmed = []
  }
  return {
    async take() {
      if (free > 0) free -= 1
      else await new Promise<void>((resolve) => waiting.push(resolve))
      return giveBack
    },
    async calm() {
      while (waiting.length > 0) await new Promise<void>((resolve) => calmed.push(resolve))
    },
  }
}

import { readFileSync } from 'node:fs'

/**
 * Measures how much of the time in which this virtual machine could have worked its host gave to others.
 * @returns a function that returns the share so far, from 0 to 1; null where the kernel does not count it (other than Linux)
 */
export function stolenShare(): () => number | null {
  const before = processorTimes()
  return () => {
    const after = processorTimes()
    if (!before || !after) return null
    const stolen = after.stolen - before.stolen
    return stolen / Math.max(1, after.busy - before.busy + stolen)
  }
}

/** In ticks since boot, over all processors. */
function processorTimes(): { busy: number; stolen: number } | null {
  if (process.platform !== 'linux') return null
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n')
  // proc(5): user nice system idle iowait irq softirq steal
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, stolen = 0] = line.split(/\s+/).slice(1).map(Number)
  return { busy: user + nice + system + irq + softirq, stolen }
}

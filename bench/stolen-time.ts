import { readFileSync } from 'node:fs'

/**
 * Starts to watch how much of the time in which this virtual machine wanted to work its host gave to others; the returned
 * function tells it, as a share from 0 to 1. null where the kernel does not count it (other than Linux).
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

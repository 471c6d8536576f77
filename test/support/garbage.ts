import { setImmediate as nextTick } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Collects garbage; returns how many of the objects are still reachable. */
export async function countReachable(references: readonly WeakRef<object>[]): Promise<number> {
  // a WeakRef keeps its object until the current task of the event loop has ended
  await nextTick()
  collect()
  return references.filter((reference) => reference.deref() !== undefined).length
}

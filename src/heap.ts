/**
 * Makes the garbage collector return memory sooner. Left alone, V8 lets the heap of a load grow to 450 MB, of which most is
 * garbage (docs/performance.md). To be imported before anything else. The nursery's size can only be set when node starts:
 * package.json and the first line of bin/genesys-etl.mjs do.
 */
import { setFlagsFromString } from 'node:v8'

// The old generation is collected when it has doubled since the last time, not when it has grown fourfold.
setFlagsFromString('--heap-growing-percent=100')

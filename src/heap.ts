/**
 * Makes the garbage collector return memory sooner: by default, the heap of a load grows to 450 MB, most of it garbage
 * (docs/performance.md). Import it before anything else. The size of the young generation can only be set when Node starts:
 * package.json and the first line of bin/genesys-etl.mjs do that.
 */
import { setFlagsFromString } from 'node:v8'

// The old generation is collected when it has doubled since the last time, not when it has grown fourfold.
setFlagsFromString('--heap-growing-percent=100')

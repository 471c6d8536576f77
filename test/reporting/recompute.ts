/** A process that recomputes dirty hours, to be killed: node recompute.ts DATABASE_URL. */
import { connect } from '../../src/postgres/connect.ts'
import { recomputeDirtyHours } from '../../src/reporting/rollups.ts'

await using warehouse = connect(process.argv[2]!)
await recomputeDirtyHours(warehouse)

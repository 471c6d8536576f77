import { type Client, type Pool } from 'pg'
import { type Warehouse } from './connect.ts'

/**
 * Whether a pooler in transaction mode stands between this process and the server: two connections of ours are served by one backend, or one
 * connection changes its backend.
 * @param alone a connection of `connectAlone`; one is opened and closed if there is none yet
 */
export async function isBehindPooler(warehouse: Warehouse, alone?: Client): Promise<boolean> {
  const client = alone ?? (await warehouse.connectAlone('probe'))
  try {
    const pidOf = async (connection: Client | Pool) =>
      (await connection.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]?.pid
    const first = await pidOf(client)
    return (await pidOf(warehouse.pool)) === first || (await pidOf(client)) !== first
  } finally {
    if (!alone) await client.end().catch(() => {})
  }
}

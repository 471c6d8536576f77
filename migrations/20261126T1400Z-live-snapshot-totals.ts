import { sql, type Kysely } from 'kysely'

/**
 * Totals of each snapshot, so that the trend of the wallboard need not add up the queues of hours. The snapshots of the last
 * hours get theirs from the queues; older ones have none.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table genesys.live_snapshots add column waiting integer, add column interacting integer, add column hold integer`.execute(
    db,
  )
  await sql`
    update genesys.live_snapshots s set waiting = t.waiting, interacting = t.interacting, hold = t.hold
    from (
      select l.snapshot_at, coalesce(sum(q.waiting), 0)::int as waiting,
        coalesce(sum(q.interacting), 0)::int as interacting, coalesce(sum(q.hold), 0)::int as hold
      from genesys.live_snapshots l left join genesys.live_queues q on q.snapshot_at = l.snapshot_at
      where l.complete and l.snapshot_at > now() - interval '5 hours'
      group by l.snapshot_at) t
    where s.snapshot_at = t.snapshot_at`.execute(db)
}

/** Drops the totals: the queues of each snapshot stay. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table genesys.live_snapshots drop column waiting, drop column interacting, drop column hold`.execute(db)
}

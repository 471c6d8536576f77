/** Which months are to be dropped: those that are older than what is kept and still hold something, and those whose drop was interrupted. */
import { sql, type Kysely } from 'kysely'
import { FACTS, HISTORY } from '../loader/partitions.ts'
import type { Interval } from '../model/interval.ts'
import { monthAround } from '../model/retention.ts'
import type { Database } from '../postgres/database.ts'
import { recording } from '../postgres/errors.ts'

/**
 * The months to drop, oldest first. A month that was brought back is not among them until the time is over for which it stays.
 * @param floor the first instant that is kept; null: everything is, so that only interrupted drops are completed
 */
export async function selectDueMonths(db: Kysely<Database>, floor: Date | null): Promise<Interval[]> {
  const { rows } = await recording('finding the months that are not kept any more', () =>
    sql<{ start: Date }>`
      with recursive agents (month) as (
        select date_trunc('month', min(interval_start), 'UTC') from etl.agent_intervals
        union all
        select date_trunc('month', (
          select min(interval_start) from etl.agent_intervals where interval_start >= month + interval '32 days'), 'UTC')
        from agents where month is not null
      ), partitions as (
        select to_date(right(c.relname, 7), 'YYYY_MM') as month
        from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent
        join pg_namespace n on n.oid = p.relnamespace
        where format('%s.%s', n.nspname, p.relname) = any(${[...HISTORY, ...FACTS]}::text[]) and c.relname ~ '_\\d{4}_\\d\\d$'
      ), present as (
        select month from partitions
        -- of a month that was dropped, a part of a day may be left
        union select (month at time zone 'UTC')::date from agents a
        where month is not null and not exists (
          select from etl.dropped_months d where d.month = (a.month at time zone 'UTC')::date and d.frozen_at is not null)
      )
      select month::timestamp at time zone 'UTC' as start from present p
      where (month + interval '1 month') at time zone 'UTC' <= ${floor}::timestamptz
        and not exists (select from etl.dropped_months d where d.month = p.month and d.kept_until > now())
      union
      select month::timestamp at time zone 'UTC' from etl.dropped_months
      where started_at is not null and finished_at is null
      order by 1`.execute(db),
  )
  return rows.map(({ start }) => monthAround(start))
}

/** From which age on live data is stale or late, by the line of LIVE_CRON. */
import { parseCronLine } from '../cron.ts'

/**
 * How old live data may be, in seconds: three ticks, but not less than `usual`.
 * @param now the instant from which on the ticks are counted
 */
export function threeTicks(
  { cron, timezone }: { readonly cron: string; readonly timezone: string },
  usual: number,
  now: Date,
): number {
  const line = parseCronLine(cron, timezone)
  const first = line.next(now)
  const second = first && line.next(first)
  return first && second ? Math.max(usual, (3 * (+second - +first)) / 1000) : usual
}

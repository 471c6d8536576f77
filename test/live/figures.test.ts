/** Snapshots of a large organization that does not stand still. LIVE_FIGURES=full: 10 000 open conversations at 1 s latency. */
import { expect, test } from 'vitest'
import { startLiveOrg } from '../support/live-org.ts'

const never = new AbortController().signal
const isFull = process.env['LIVE_FIGURES'] === 'full'
const size = isFull ? { open: 10_000, latencyMs: 1000, aSecond: 10 } : { open: 2500, latencyMs: 100, aSecond: 100 }

test(
  `${size.open} open conversations at ${size.latencyMs} ms: no one is missing that was open throughout`,
  { timeout: 180_000 },
  async () => {
    await using org = await startLiveOrg({ requestsPerMinute: isFull ? 270 : Number.POSITIVE_INFINITY })
    org.latencyMs = size.latencyMs
    const start = Date.now() - 20 * 3_600_000
    for (let i = 0; i < size.open; i++) {
      org.begin(`c${i}`, { start: start + i * 1000, state: i % 3 === 0 ? 'waiting' : 'interacting' })
    }
    const job = org.job()
    const stay = (i: number): boolean => i % 10 !== 0

    // One in ten may end, from the oldest on; as many begin.
    let next = 0
    let begun = 0
    const churn = setInterval(() => {
      for (let i = 0; i < size.aSecond / 20; i++) {
        while (next < size.open && stay(next)) next++
        org.end(`c${next++}`)
        org.begin(`n${begun++}`)
      }
    }, 50)
    try {
      for (const name of ['first', 'second']) {
        org.requests.length = 0
        const summary = await job.tick(never)
        const table = await org.table()
        const missing = Array.from({ length: size.open }, (_, i) => i).filter((i) => stay(i) && !table[`c${i}`])
        if (isFull) {
          const { durationMs, requests, writes, ended } = summary ?? {}
          process.stdout.write(`${name}: ${JSON.stringify({ durationMs, requests, writes, ended })}\n`)
        }
        expect(missing, name).toEqual([])
        expect(org.requests.length, name).toBeLessThanOrEqual(isFull ? 120 : 60)
        expect(summary?.durationMs, name).toBeLessThan(20_000)
      }
      expect(next).toBeGreaterThan(100)
    } finally {
      clearInterval(churn)
    }
    const summary = await job.tick(never)
    expect(new Set(summary?.conversations.map(({ conversationId }) => conversationId))).toEqual(
      new Set([...org.held.values()].filter(({ phase }) => phase === 'open').map(({ id }) => id)),
    )
  },
)

/**
 * Loaded before a service: its wall clock then differs from the machine's by the milliseconds in the file CLOCK_OFFSET_FILE,
 * read at the start and at each SIGUSR2. Timers and performance.now() go on as they do when a real clock is set.
 */
import { readFileSync } from 'node:fs'

const RealDate = Date
const file = process.env['CLOCK_OFFSET_FILE'] ?? ''
let offset = Number(readFileSync(file, 'utf8'))
process.on('SIGUSR2', () => {
  offset = Number(readFileSync(file, 'utf8'))
})

class JumpingDate extends RealDate {
  constructor(...args: unknown[]) {
    if (args.length === 0) super(RealDate.now() + offset)
    else super(...(args as [number]))
  }

  static override now(): number {
    return RealDate.now() + offset
  }
}

globalThis.Date = JumpingDate as DateConstructor

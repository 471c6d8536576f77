import type { QueueMedia } from './conversation-builder.ts'

/** How long the steps of a contact take in a medium, in milliseconds. */
export interface MediaTiming {
  readonly media: QueueMedia
  /** Mean time until an agent is free. */
  readonly waitMeanMs: number
  /** Mean patience of the customer; Infinity where nobody gives up. */
  readonly patienceMeanMs: number
  /** The outcome when the customer gives up. */
  readonly givesUp: 'abandoned' | 'left'
  /** Share of contacts that are answered automatically, without an alert. */
  readonly autoAnswerShare: number
  readonly alertMaxMs: number
  readonly talkMedianMs: number
  readonly acwMedianMs: number
  readonly holdShare: number
  /** The most holds of one contact: once or twice on the phone; written contacts are on hold whenever another one interrupts. */
  readonly holdsMax: number
}

export const VOICE_TIMING: MediaTiming = {
  media: 'voice',
  waitMeanMs: 28_000,
  patienceMeanMs: 240_000,
  givesUp: 'abandoned',
  autoAnswerShare: 0,
  alertMaxMs: 11_000,
  talkMedianMs: 190_000,
  acwMedianMs: 35_000,
  holdShare: 0.28,
  holdsMax: 2,
}

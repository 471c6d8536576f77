import { describe, expect, it } from 'vitest'

import type { JsonObject } from '../../src/model/json.ts'
import { earliest, readAnalytics } from '../../src/live/from-analytics.ts'
import { readConversation } from '../../src/live/from-conversation.ts'
import type { LiveConversation } from '../../src/live/state.ts'

const at = (minute: number) => `2026-03-05T10:${String(minute).padStart(2, '0')}:00.000Z`
const key = { conversationId: 'c', conversationStart: at(0) }

function open(reading: ReturnType<typeof readAnalytics>): LiveConversation {
  if (reading.kind !== 'open') throw new Error(reading.kind)
  return reading.conversation
}

describe('what an open conversation began with', () => {
  /** A session whose segments are over, so that nothing else decides. */
  const session = (mediaType: string, ...starts: (string | null)[]): JsonObject => ({
    mediaType,
    direction: mediaType === 'voice' ? 'inbound' : 'outbound',
    segments: starts.map((start) => ({ segmentStart: start, segmentEnd: at(59), segmentType: 'interact' })),
  })
  const first = (...sessions: JsonObject[]) =>
    open(
      readAnalytics(
        { ...key, participants: [{ sessions: sessions.slice(0, 1) }, { sessions: sessions.slice(1) }] },
        new Date(at(59)),
      ),
    )

  it.each([
    ['the session that began first, wherever it stands', [session('chat', at(5)), session('voice', at(2))]],
    ['by its earliest segment', [session('chat', at(3)), session('voice', at(4), at(1))]],
    ['one with a start before one without', [session('chat'), session('chat', null), session('voice', at(9))]],
    ['one with a start that can be read', [session('chat', 'soon'), session('voice', at(9))]],
    [
      'compared as instants',
      [session('chat', '2026-03-05T11:30:00+01:00'), session('voice', '2026-03-05T11:20:00+01:00')],
    ],
    ['of equals the one that stands first', [session('voice', at(2)), session('chat', at(2))]],
    ['without any start the one that stands first', [session('voice'), session('chat')]],
  ])('is %s', (_, sessions) => {
    expect(first(...sessions)).toMatchObject({ mediaType: 'voice', direction: 'inbound' })
  })

  it('is the communication that began first, in the model of conversations', () => {
    const call = (direction: string, connectedTime: string | null) => ({
      direction,
      state: 'disconnected',
      connectedTime,
    })
    const participants: JsonObject[] = [
      { purpose: 'agent', startTime: at(3), calls: [call('outbound', at(3))] },
      { purpose: 'customer', calls: [call('outbound', null)] },
      { purpose: 'customer', startTime: at(1), calls: [call('outbound', at(2)), call('inbound', at(1))] },
    ]
    const reading = readConversation({ id: 'c', startTime: at(0), participants })
    expect(open(reading).direction).toBe('inbound')
  })

  it('has no earliest instant if there are none', () => {
    expect(earliest([null, at(2), at(1), null])).toBe(at(1))
    expect(earliest([null])).toBeNull()
    expect(earliest(['2026-03-05T10:00:00.386123Z', '2026-03-05T10:00:00.386Z'])).toBe('2026-03-05T10:00:00.386Z')
  })
})

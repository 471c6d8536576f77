import { conversation } from '../loader/conversations.ts'

const at = (time: string): string => `2026-03-05T${time}.000Z`
const metric = (name: string, value: number, time: string) => ({ name, value, emitDate: at(time) })
const segment = (segmentType: string, start: string, end: string, more: object = {}) => ({
  segmentType,
  segmentStart: at(start),
  segmentEnd: at(end),
  ...more,
})

/**
 * A call of nine minutes on 5 March 2026: it waits in q1, u1 answers, holds it and transfers it to q2, where u2 answers. The caller is
 * Jane Doe with +1 555 0100, and u2 writes a secret note.
 */
export function transferredCall(id: string) {
  const voice = { mediaType: 'voice', direction: 'inbound', ani: 'tel:+15550100', dnis: 'tel:+15550199' }
  const queued = (queueId: string, entered: string, left: string, waitMs: number) => ({
    participantId: `acd-${queueId}`,
    purpose: 'acd',
    sessions: [
      {
        ...voice,
        sessionId: `acd-${queueId}`,
        segments: [segment('interact', entered, left, { queueId, disconnectType: 'transfer' })],
        metrics: [metric('nOffered', 1, entered), metric('tAcd', waitMs, left)],
      },
    ],
  })
  return conversation(id, {
    conversationStart: at('10:00:00'),
    conversationEnd: at('10:09:00'),
    originatingDirection: 'inbound',
    participants: [
      {
        participantId: 'customer',
        participantName: 'Jane Doe',
        purpose: 'customer',
        sessions: [
          {
            ...voice,
            sessionId: 'customer',
            segments: [segment('interact', '10:00:00', '10:08:30', { disconnectType: 'client' })],
            metrics: [metric('nConnected', 1, '10:00:00')],
          },
        ],
      },
      queued('q1', '10:00:10', '10:01:10', 60_000),
      {
        participantId: 'ada',
        purpose: 'agent',
        userId: 'u1',
        sessions: [
          {
            ...voice,
            sessionId: 'ada',
            segments: [
              segment('alert', '10:01:00', '10:01:10', { queueId: 'q1' }),
              segment('interact', '10:01:10', '10:02:40', { queueId: 'q1' }),
              segment('hold', '10:02:40', '10:03:10', { queueId: 'q1' }),
              segment('interact', '10:03:10', '10:03:40', { queueId: 'q1', disconnectType: 'transfer' }),
              segment('wrapup', '10:03:40', '10:04:00', { queueId: 'q1', wrapUpCode: 'w1' }),
            ],
            metrics: [
              metric('tAnswered', 60_000, '10:01:10'),
              metric('tTalkComplete', 120_000, '10:03:40'),
              metric('tHeldComplete', 30_000, '10:03:40'),
              metric('nTransferred', 1, '10:03:40'),
              metric('nBlindTransferred', 1, '10:03:40'),
              metric('tAcw', 20_000, '10:04:00'),
              metric('tHandle', 170_000, '10:04:00'),
            ],
          },
        ],
      },
      queued('q2', '10:03:40', '10:04:40', 60_000),
      {
        participantId: 'bo',
        purpose: 'agent',
        userId: 'u2',
        sessions: [
          {
            ...voice,
            sessionId: 'bo',
            segments: [
              segment('alert', '10:04:30', '10:04:40', { queueId: 'q2' }),
              segment('interact', '10:04:40', '10:08:10', { queueId: 'q2', disconnectType: 'peer' }),
              segment('wrapup', '10:08:10', '10:09:00', { queueId: 'q2', wrapUpCode: 'w1', wrapUpNote: 'secret note' }),
            ],
            metrics: [
              metric('tAnswered', 60_000, '10:04:40'),
              metric('tTalkComplete', 180_000, '10:08:10'),
              metric('tAcw', 50_000, '10:09:00'),
              metric('tHandle', 230_000, '10:09:00'),
            ],
          },
        ],
      },
    ],
  })
}

import { objects, isJsonObject, type JsonValue } from '../model/json.ts'

/** Values of AnalyticsSession.mediaType in the official SDK. */
export const MEDIA_TYPES = [
  'callback',
  'chat',
  'cobrowse',
  'email',
  'internalmessage',
  'message',
  'screenmonitoring',
  'screenshare',
  'unknown',
  'video',
  'voice',
] as const

/** The settings that narrow the history. */
interface Filter {
  readonly mediaTypes?: readonly string[] | undefined
  readonly direction?: string | undefined
  readonly minDurationSeconds?: number | undefined
}

/** Whether an ended conversation belongs to a history with these filters, by the rules of the details query. */
export function belongsToHistory(record: JsonValue, filter: Filter): boolean {
  if (!isJsonObject(record)) return false
  const { mediaTypes = [], direction, minDurationSeconds = 0 } = filter
  if (direction !== undefined && record['originatingDirection'] !== direction) return false
  if (minDurationSeconds > 0) {
    const lasted = instant(record['conversationEnd']) - instant(record['conversationStart'])
    if (!(lasted >= minDurationSeconds * 1000)) return false
  }
  const sessions = objects(record['participants']).flatMap((participant) => objects(participant['sessions']))
  return mediaTypes.length === 0 || sessions.some(({ mediaType }) => mediaTypes.includes(mediaType as string))
}

function instant(value: JsonValue | undefined): number {
  return typeof value === 'string' ? Date.parse(value) : Number.NaN
}

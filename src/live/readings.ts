/** What the records of one snapshot say, compared with the snapshot before. Pure. */
import type { ReadRecord } from '../genesys/open-conversations.ts'
import type { JsonValue } from '../model/json.ts'
import type { LiveConversation, LiveReading } from './state.ts'
import type { EndedConversation } from './transitions.ts'

/** Open conversations by id. */
export type Conversations = ReadonlyMap<string, LiveConversation>

/** A record of a conversation that has ended. */
export interface EndedRecord extends ReadRecord {
  readonly conversationId: string
  readonly endedAt: string | null
  /** False: an agent's after-call work goes on, so that the conversation stays among the open ones. */
  readonly isOver: boolean
}

/** How a snapshot differs from the one before it. */
export interface SnapshotChanges {
  /** Open conversations that were read. */
  readonly read: Conversations
  /** Open conversations that stay unchanged because they were not read. */
  readonly kept: readonly LiveConversation[]
  /** Conversations of the snapshot before that have ended. */
  readonly ended: readonly EndedConversation[]
  /** Ids that leave: of ended conversations, and of those that Genesys no longer knows. */
  readonly leaving: readonly string[]
  /** Records of ended conversations, for the history. */
  readonly endedRecords: readonly EndedRecord[]
  /** How many records had no usable id or start. */
  readonly rejected: number
}

/** The newest reading of each conversation. */
export class Readings {
  readonly #read: (record: JsonValue) => LiveReading
  readonly #byId = new Map<string, { reading: LiveReading; record: ReadRecord }>()
  #rejected = 0

  /** @param read reads a record in the model that the API answers with */
  constructor(read: (record: JsonValue) => LiveReading) {
    this.#read = read
  }

  /** Reads a record; of several for one conversation the one requested last counts. */
  add(record: ReadRecord): void {
    const reading = this.#read(record.record)
    if (reading.kind === 'rejected') {
      this.#rejected++
      return
    }
    const id = reading.kind === 'open' ? reading.conversation.conversationId : reading.conversationId
    const known = this.#byId.get(id)
    if (!known || known.record.sentAt <= record.sentAt) this.#byId.set(id, { reading, record })
  }

  has(id: string): boolean {
    return this.#byId.has(id)
  }

  /**
   * Compares the readings with the snapshot before.
   * @param requested ids that were read although no snapshot had them: if they have ended, then just now
   * @param kept conversations of the snapshot before that were not read
   * @param unknown ids of the snapshot before that Genesys no longer knows
   */
  changesSince(
    previous: Conversations,
    {
      requested = new Set(),
      kept = [],
      unknown = [],
    }: {
      readonly requested?: ReadonlySet<string>
      readonly kept?: readonly LiveConversation[]
      readonly unknown?: readonly string[]
    },
  ): SnapshotChanges {
    const read = new Map<string, LiveConversation>()
    const ended: EndedConversation[] = []
    const endedRecords: EndedRecord[] = []
    for (const [id, { reading, record }] of this.#byId) {
      const before = previous.get(id)
      if (reading.kind === 'open') {
        read.set(id, reading.conversation)
        // Ended, but kept here by after-call work: the history gets it now, and once more when that work is done.
        if (reading.endedAt !== null && before?.state !== 'acw')
          endedRecords.push({ ...record, conversationId: id, endedAt: reading.endedAt, isOver: false })
      } else if (reading.kind === 'ended' && (before || requested.has(id))) {
        if (before) ended.push({ conversation: before, endedAt: reading.endedAt })
        endedRecords.push({ ...record, conversationId: id, endedAt: reading.endedAt, isOver: true })
      }
    }
    const leaving = [...ended.map(({ conversation }) => conversation.conversationId), ...unknown]
    return { read, kept, ended, leaving, endedRecords, rejected: this.#rejected }
  }
}

/** Fewer unknown conversations than this prove nothing, even if they are all that were open. */
const FEW_CONVERSATIONS = 20
/** After this long, an implausible result is accepted as real. */
const ACCEPTED_AFTER_MS = 5 * 60_000

/**
 * `plausible`: the unknown conversations leave. `implausible`: the snapshot fails, because a role that has lost its divisions
 * gives the same answers. `accepted`: it has looked like that for five minutes, so they are really gone (by a purge, or a role
 * that was changed on purpose).
 */
export type Plausibility = 'plausible' | 'implausible' | 'accepted'

/**
 * Judges a snapshot by how many of the conversations that were open are neither open nor ended.
 * @param unknown how many are neither
 * @param open how many were open in the snapshot before
 * @param implausibleForMs how long all snapshots have been implausible; null: the one before was not
 */
export function plausibilityOfUnknown(unknown: number, open: number, implausibleForMs: number | null): Plausibility {
  if (unknown < FEW_CONVERSATIONS || unknown <= open / 2) return 'plausible'
  return implausibleForMs !== null && implausibleForMs >= ACCEPTED_AFTER_MS ? 'accepted' : 'implausible'
}

import type { Json } from './conversation-plan.ts'
import { hashFraction } from './random.ts'

/** The data lake cuts names and values of attributes after so many characters. */
const LONGEST = 1024

/** Attributes of one participant. */
export type Attributes = Readonly<Record<string, string>>

/** Share of the conversations whose customer carries attributes, and of those with a text that is longer than the lake keeps. */
const WITH_ATTRIBUTES = 0.6
const WITH_LONG_TEXTS = 0.05

/** The attributes that the flows of the organization give the customer of a conversation; undefined: none. */
function generated(conversationId: string): Attributes | undefined {
  const drawn = hashFraction(`attributes/${conversationId}`)
  if (drawn >= WITH_ATTRIBUTES) return undefined
  return {
    customerNumber: String(Math.floor(drawn * 1e9)),
    'Preferred language': drawn < 0.3 ? 'de' : 'en',
    ...(drawn < WITH_LONG_TEXTS && { note: 'ä long nöte '.repeat(200), [`question ${'?'.repeat(1100)}`]: 'yes' }),
  }
}

/**
 * A conversation as jobs deliver it: with the attributes of its participants.
 * @param id of the conversation, which its record may lack
 * @param given by participant, in place of the generated ones
 */
export function withAttributes(
  conversation: Json,
  id: string,
  given: readonly (Attributes | undefined)[] | undefined,
): Json {
  const { participants } = conversation
  if (!Array.isArray(participants)) return conversation
  const customer = participants.findIndex((each) => (each as Json | null)?.['purpose'] === 'customer')
  const added = participants.map((participant: Json | null, position) => {
    if (typeof participant !== 'object' || participant === null || Array.isArray(participant)) return participant
    const attributes = given ? given[position] : position === customer ? generated(id) : undefined
    return attributes === undefined ? participant : { ...participant, attributes: cut(attributes) }
  })
  return { ...conversation, participants: added }
}

/** The attributes that a record has, by participant. */
export function attributesIn({ participants }: Json): (Attributes | undefined)[] {
  if (!Array.isArray(participants)) return []
  return participants.map((participant: Json | null) => participant?.['attributes'] as Attributes | undefined)
}

/** A conversation as the details query delivers it, which has no attributes. */
export function withoutAttributes(conversation: Json): Json {
  const { participants } = conversation
  if (!Array.isArray(participants)) return conversation
  return {
    ...conversation,
    participants: participants.map((participant: Json | null) => {
      if (typeof participant !== 'object' || participant === null) return participant
      const copy = { ...participant }
      delete copy['attributes']
      return copy
    }),
  }
}

function cut(attributes: Attributes): Attributes {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [name.slice(0, LONGEST), value.slice(0, LONGEST)]),
  )
}

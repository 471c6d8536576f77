import { MEDIA_TYPES } from '../genesys/details-filter.ts'
import { identifierList } from '../genesys/entity-list.ts'
import { type GenesysClient, type RequestOptions } from '../genesys/client.ts'
import { matches, notExists } from '../genesys/details-query.ts'
import type { DetailsFilter, Predicate } from '../genesys/details-query.ts'

/** A way to split a set of conversations into parts that don't overlap much and miss nothing. */
export interface SplitDimension {
  readonly name: 'originatingDirection' | 'mediaType' | 'divisionId' | 'queueId'
  /** Whether the predicate is about the conversation or about a segment of it. */
  readonly of: 'conversation' | 'segment'
  /** The values there are; the rest, conversations without one, is a part of its own. */
  values(client: GenesysClient, sending: RequestOptions): Promise<readonly string[]>
}

/** In the order in which they are tried: few values first, those that have to be requested last. */
export const splitDimensions: readonly SplitDimension[] = [
  { name: 'originatingDirection', of: 'conversation', values: async () => ['inbound', 'outbound'] },
  { name: 'mediaType', of: 'segment', values: async () => MEDIA_TYPES },
  {
    name: 'divisionId',
    of: 'conversation',
    values: (client, sending) => identifierList(client, '/api/v2/authorization/divisions', 'divisions', sending),
  },
  {
    name: 'queueId',
    of: 'segment',
    values: (client, sending) => identifierList(client, '/api/v2/routing/queues', 'queues', sending),
  },
]

/** The predicates of the parts into which a dimension with these values splits: one per value, and the rest. */
export function partsBy(dimension: SplitDimension, values: readonly string[]): Predicate[] {
  return [...values.map((value) => matches(dimension.name, value)), notExists(dimension.name)]
}

/** The filter, with one more predicate that must hold. */
export function narrowed(filter: DetailsFilter, dimension: SplitDimension, predicate: Predicate): DetailsFilter {
  return dimension.of === 'conversation'
    ? { ...filter, conversation: [...(filter.conversation ?? []), predicate] }
    : { ...filter, segments: [...(filter.segments ?? []), [predicate]] }
}

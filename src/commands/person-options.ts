/** By what `erase` and `export-person` look for a person. */
import { readFileSync } from 'node:fs'
import { ConfigError } from '../errors.ts'
import { normalizeAddress } from '../model/address.ts'
import type { ErasureKey } from '../postgres/database.ts'
import type { Warehouse } from '../postgres/connect.ts'
import { selectFloor } from '../postgres/personal-policy.ts'
import type { PersonKeys } from '../privacy/find-person.ts'
import type { Output } from './print.ts'

export interface PersonOptions {
  readonly conversationId?: readonly string[] | undefined
  /** A file with the id of a conversation per line, or with what the list of erased ones has. */
  readonly conversationFile?: string | undefined
  readonly externalContactId?: readonly string[] | undefined
  readonly address?: readonly string[] | undefined
}

/** Whom the options name. */
export interface NamedPerson {
  readonly kind: Exclude<ErasureKey, 'gdpr_request'>
  readonly keys: PersonKeys
  /** Hashes of rejected records without an id that were erased before. */
  readonly recordHashes: readonly string[]
}

/** In a list of what was erased, the hash of a rejected record that has no id. */
const RECORD_PREFIX = 'record:'
/** What is shorter occurs by chance. */
const SHORTEST_ADDRESS = 3
/** An id beside something else, as in a table. */
const SEVERAL = /[0-9a-f]{12}[\s,;"']|[\s,;"'][0-9a-f]{8}-/i
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/**
 * The keys of a command and their kind. Their values never reach a message, since they are personal data.
 * @throws ConfigError where there are none, of several kinds, or ones that cannot be what they are given as
 */
export function personKeys(options: PersonOptions): NamedPerson {
  const { ids, recordHashes } = readFile(options.conversationFile)
  const given = {
    conversation_id: distinct([...(options.conversationId ?? []), ...ids]),
    external_contact_id: distinct(options.externalContactId ?? []),
    address: distinct(options.address ?? []),
  }
  const kinds = (['conversation_id', 'external_contact_id', 'address'] as const).filter(
    (kind) => given[kind].length > 0 || (kind === 'conversation_id' && recordHashes.length > 0),
  )
  const [kind] = kinds
  if (kind === undefined)
    throw new ConfigError('Nothing is named', 'Name conversations, external contacts or addresses; see --help.')
  if (kinds.length > 1)
    throw new ConfigError('Options of several kinds are given', 'Run the command once for each kind.')
  refuseImplausible(kind, given[kind])
  return {
    kind,
    keys: {
      conversationIds: given.conversation_id,
      externalContactIds: given.external_contact_id,
      addresses: given.address,
    },
    recordHashes,
  }
}

/** Says which conversations no address and no contact finds, because the retention of personal data has passed for them. */
export async function printRetention({ db }: Warehouse, kind: ErasureKey, output: Output): Promise<void> {
  const floor = kind === 'conversation_id' ? null : await selectFloor(db)
  if (floor === null) return
  output.line(
    `Conversations that started before ${floor.slice(0, 10)} hold no addresses and no contacts any more, so none of them is found by these; --conversation-id finds them.`,
  )
}

/** @throws ConfigError where a person is named beside `--from-genesys` */
export function refusePersonOptions({
  conversationId,
  conversationFile,
  externalContactId,
  address,
}: PersonOptions): void {
  if ([conversationId, conversationFile, externalContactId, address].every((value) => value === undefined)) return
  throw new ConfigError(
    '--from-genesys takes the persons from Genesys, so none can be named with it',
    'Run the command once with --from-genesys, and once with the names.',
  )
}

/** Without blanks around them; UUIDs in lower case, as Genesys writes them. */
function distinct(values: readonly string[]): string[] {
  return [
    ...new Set(values.map((value) => value.trim()).map((value) => (UUID.test(value) ? value.toLowerCase() : value))),
  ]
}

/** @throws ConfigError */
function refuseImplausible(kind: NamedPerson['kind'], values: readonly string[]): void {
  const option = `--${kind.replaceAll('_', '-')}`
  if (values.includes('')) throw new ConfigError(`One of the values of ${option} is empty`, 'Leave it out, or name it.')
  if (kind === 'address') {
    if (values.every((address) => normalizeAddress(address).length >= SHORTEST_ADDRESS)) return
    throw new ConfigError(
      `One of the values of --address is too short to be an address`,
      'Give it whole: a telephone number, an e-mail address or the like.',
    )
  }
  // its tombstone would keep the address
  if (kind === 'conversation_id' && values.some((id) => !UUID.test(id) && isLikeAddress(id)))
    throw new ConfigError(
      'One of the conversations is named by an address',
      'Name it by its id, or the person by --address.',
    )
}

function isLikeAddress(text: string): boolean {
  return /^(?:tel|sips?):|@|^\+?[\d().-]{7,}$/i.test(text)
}

/**
 * The ids of a file, one per line, and the hashes of records.
 * @throws ConfigError where it cannot be read, has none, or is no list of ids
 */
function readFile(file: string | undefined): {
  readonly ids: readonly string[]
  readonly recordHashes: readonly string[]
} {
  if (file === undefined) return { ids: [], recordHashes: [] }
  // trim() takes the byte order mark of the file away, too
  const lines = readText(file)
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter(Boolean)
  if (lines.length === 0)
    throw new ConfigError('--conversation-file is empty', 'Put the ids of the conversations into it, one per line.')
  if (lines.some((line) => /[\p{Cc}\uFFFD]/u.test(line) || SEVERAL.test(line)))
    throw new ConfigError(
      '--conversation-file is no list of ids',
      'It takes one id per line, as plain text in UTF-8, without headings, commas and quotation marks.',
    )
  const isRecord = (line: string): boolean => line.startsWith(RECORD_PREFIX)
  return {
    ids: lines.filter((line) => !isRecord(line)),
    recordHashes: lines.filter(isRecord).map((line) => line.slice(RECORD_PREFIX.length)),
  }
}

/** @throws ConfigError */
function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new ConfigError(
      `--conversation-file cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`,
      'Name a file with the ids of conversations, one per line, that this user may read.',
    )
  }
}

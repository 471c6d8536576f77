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
  /** A file with the id of a conversation per line. */
  readonly conversationFile?: string | undefined
  readonly externalContactId?: readonly string[] | undefined
  readonly address?: readonly string[] | undefined
}

/**
 * The keys of a command and their kind. Their values never reach a message, since they are personal data.
 * @throws ConfigError where there are none, of several kinds, or without content
 */
export function personKeys(options: PersonOptions): { kind: Exclude<ErasureKey, 'gdpr_request'>; keys: PersonKeys } {
  const fromFile = options.conversationFile === undefined ? [] : readIds(options.conversationFile)
  const given = {
    conversation_id: distinct([...(options.conversationId ?? []), ...fromFile]),
    external_contact_id: distinct(options.externalContactId ?? []),
    address: distinct(options.address ?? []),
  }
  const kinds = (['conversation_id', 'external_contact_id', 'address'] as const).filter(
    (kind) => given[kind].length > 0,
  )
  const [kind] = kinds
  if (kind === undefined)
    throw new ConfigError('Nothing is named', 'Name conversations, external contacts or addresses; see --help.')
  if (kinds.length > 1)
    throw new ConfigError('Options of several kinds are given', 'Run the command once for each kind.')
  if (given[kind].includes('') || given.address.some((address) => normalizeAddress(address) === ''))
    throw new ConfigError(`One of the values of --${kind.replaceAll('_', '-')} is empty`)
  return {
    kind,
    keys: {
      conversationIds: given.conversation_id,
      externalContactIds: given.external_contact_id,
      addresses: given.address,
    },
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
  throw new ConfigError('--from-genesys takes the persons from Genesys, so none can be named with it')
}

function distinct(values: readonly string[]): string[] {
  return [...new Set(values.map((value) => value.trim()))]
}

function readIds(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split(/\s+/).filter(Boolean)
  } catch (error) {
    throw new ConfigError(
      `--conversation-file cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`,
    )
  }
}

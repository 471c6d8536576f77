/**
 * The policy for personal data: what of it may be stored, and the same JSON with nothing more than that. Fields are those marked
 * `personal` in the model and in the reference data. Pure.
 */
import { snakeCase, type TableName } from './columns.ts'
import { isJsonObject, isRawNumber, put } from './json.ts'
import type { JsonObject, JsonValue } from './json.ts'
import { model } from './model.ts'
import type { Entity } from './model.ts'
import { referenceEntity } from './reference.ts'
import { replaceTexts } from './replace-texts.ts'

/** What becomes of a personal value before it is stored: it stays, its keyed hash takes its place, or it is left out. */
export type Treatment = 'keep' | 'hash' | 'drop'

/** Makes hashes that equal values share. */
export interface PersonalHasher {
  /** Tells the keys of two hashers apart without revealing them. */
  readonly fingerprint: string
  /** The hash of an address, the same for all its spellings; a hash is returned as it is. */
  address(text: string): string
  /** The hash of any other text, the same for all its spellings in blanks around it and in case; a hash is returned as it is. */
  text(text: string): string
}

/** What may be stored of personal data in a conversation. */
export interface ConversationPolicy {
  /** For what names, reaches or identifies customers, for addresses of a conversation in general, and for what people wrote. */
  readonly customers: Treatment
  /** For names and addresses of employees. */
  readonly employees: Treatment
  /** Needed where something is hashed. */
  readonly hasher: PersonalHasher | null
}

/** What may be stored of personal data at all: the policy of the settings. */
export interface PersonalPolicy extends ConversationPolicy {
  readonly employees: 'keep' | 'hash'
}

/** Stores everything as Genesys sends it. */
export const KEEP_ALL: PersonalPolicy = { customers: 'keep', employees: 'keep', hasher: null }

/** How every hash begins. normalizeAddress leaves the whole hash as it is. */
export const HASH_PREFIX = 'hmac:'
const HASH = new RegExp(`^${HASH_PREFIX}[0-9a-f]{64}$`)

/** Whether a text is a hash and not a clear value. */
export function isHashed(text: string): boolean {
  return HASH.test(text)
}

function keepsEverything({ customers, employees }: ConversationPolicy): boolean {
  return customers === 'keep' && employees === 'keep'
}

/** The policy as part of the content hash: '' where everything is kept, so that hashes of earlier versions stay valid. */
export function policyTag(policy: ConversationPolicy): string {
  if (keepsEverything(policy)) return ''
  return `${policy.customers}/${policy.employees}/${keyInUse(policy) ?? ''}`
}

/** The fingerprint of the key with which the policy hashes; null: it hashes nothing. */
export function keyInUse({ customers, employees, hasher }: ConversationPolicy): string | null {
  return customers === 'hash' || employees === 'hash' ? (hasher?.fingerprint ?? null) : null
}

/**
 * Whose value a field has. `customers`: the customer's, whichever participant it is on, since an agent's session names the customer by
 * its addresses. `party`: that of the participant it is on. `either`: of one side or the other, which nothing in the record tells.
 */
type Owner = 'customers' | 'party' | 'either'

/** How the spellings of one value are recognized; `address` for everything that may be one. */
type Kind = 'address' | 'text'

export interface PersonalField {
  readonly owner: Owner
  readonly kind: Kind
}

const ofCustomers: PersonalField = { owner: 'customers', kind: 'text' }
const customersAddress: PersonalField = { owner: 'customers', kind: 'address' }
const addressOfEither: PersonalField = { owner: 'either', kind: 'address' }
// flows and scripts put anything into them: the addresses among them are found again only if they are hashed as such
const attributesField = customersAddress

/** Every field that the model marks as personal, by table and API name. */
export const personalFields: Readonly<Partial<Record<TableName, Readonly<Record<string, PersonalField>>>>> = {
  participants: {
    externalContactId: ofCustomers,
    // the name of a customer may be the number
    participantName: { owner: 'party', kind: 'address' },
  },
  participant_attributes: { attributes: attributesField },
  sessions: {
    addressFrom: customersAddress,
    addressOther: customersAddress,
    addressSelf: addressOfEither,
    addressTo: customersAddress,
    ani: customersAddress,
    bcc: customersAddress,
    callbackNumbers: customersAddress,
    callbackUserName: ofCustomers,
    cc: customersAddress,
    // a transfer or a consultation goes to colleagues as well
    destinationAddresses: addressOfEither,
    dnis: customersAddress,
    journeyCustomerId: ofCustomers,
    journeyCustomerSessionId: ofCustomers,
    outboundContactId: ofCustomers,
    remote: addressOfEither,
    remoteNameDisplayable: addressOfEither,
    screenShareAddressSelf: addressOfEither,
    sessionDnis: customersAddress,
    videoAddressSelf: addressOfEither,
  },
  segments: { subject: ofCustomers, wrapUpNote: ofCustomers },
  flows: {
    entryReason: customersAddress,
    transferTargetAddress: addressOfEither,
    transferTargetName: addressOfEither,
  },
}

/** What a participant is: a customer where nothing says otherwise, so that an unknown kind of party is protected. */
type Party = 'customer' | 'employee' | 'system'

const EMPLOYEE_PURPOSES: ReadonlySet<unknown> = new Set(['agent', 'user', 'station', 'voicemail'])
/** Participants that are named after a queue, a flow, a campaign or a group. */
const SYSTEM_PURPOSES: ReadonlySet<unknown> = new Set([
  'acd',
  'botflow',
  'campaign',
  'dialer',
  'group',
  'ivr',
  'voicesurveyflow',
  'workflow',
])

function partyOf({ purpose, userId }: JsonObject): Party {
  if (purpose === 'customer' || purpose === 'external') return 'customer'
  if (EMPLOYEE_PURPOSES.has(purpose) || (typeof userId === 'string' && userId !== '')) return 'employee'
  return SYSTEM_PURPOSES.has(purpose) ? 'system' : 'customer'
}

/** What happens to a field of a participant, or of the conversation itself (null). */
function treatmentOf({ customers, employees }: ConversationPolicy, owner: Owner, party: Party | null): Treatment {
  if (owner === 'customers') return customers
  if (owner === 'either') return customers === 'keep' ? employees : customers
  if (party === 'employee') return employees
  return party === 'system' ? 'keep' : customers
}

/**
 * What happens to what the model does not know: it may name the customer wherever it is, and the employee on whose participant it is.
 */
function treatmentOfUnknown({ customers, employees }: ConversationPolicy, party: Party | null): Treatment {
  if (customers !== 'keep') return customers
  return party === 'employee' ? employees : 'keep'
}

/** What the model says of a member of an object: a value or a structure without personal data, a personal field, or rows of another table. */
type Member =
  | 'value'
  | 'structure'
  | PersonalField
  | { readonly table: TableName; readonly cardinality: 'one' | 'many' }

const members = membersByTable()

function membersByTable(): Readonly<Record<TableName, ReadonlyMap<string, Member>>> {
  const built = {} as Record<TableName, Map<string, Member>>
  for (const [name, entity] of Object.entries(model) as [TableName, Entity][]) {
    const fields = Object.entries(entity.fields).map(([api, { type }]): [string, Member] => [
      api,
      personalFields[name]?.[api] ?? (type === 'jsonb' ? 'structure' : 'value'),
    ])
    built[name] = new Map(fields)
    const parent = entity.parent === null ? undefined : built[entity.parent as TableName]
    if (entity.property !== null) parent?.set(entity.property, { table: name, cardinality: entity.cardinality })
    else for (const [api, member] of fields) parent?.set(api, member)
  }
  return built
}

/**
 * The record of a conversation as it may be stored. A record that is no object, or lacks what identifies it, is treated alike. Applying the
 * policy twice changes nothing, and one that keeps everything gives back the record itself.
 */
export function applyPolicy(policy: ConversationPolicy, record: JsonValue): JsonValue {
  if (keepsEverything(policy)) return record
  if (isJsonObject(record)) return objectOf('conversations', record, { policy, party: null })
  return treatedDeeply(policy, record, treatmentOfUnknown(policy, null), 'address') ?? null
}

/** Attributes of a participant as they may be stored; undefined: not at all. */
export function applyPolicyToAttributes(policy: ConversationPolicy, attributes: JsonValue): JsonValue | undefined {
  const { owner, kind } = attributesField
  return treatedDeeply(policy, attributes, treatmentOf(policy, owner, null), kind)
}

interface Place {
  readonly policy: ConversationPolicy
  readonly party: Party | null
}

function objectOf(table: TableName, source: JsonObject, outer: Place): JsonObject {
  const place = table === 'participants' ? { ...outer, party: partyOf(source) } : outer
  const result: Record<string, JsonValue> = {}
  for (const [name, value] of Object.entries(source)) {
    const treated = memberOf(members[table].get(name), value, place)
    if (treated !== undefined) put(result, name, treated)
  }
  return result
}

function memberOf(member: Member | undefined, value: JsonValue, place: Place): JsonValue | undefined {
  const { policy, party } = place
  if (member === 'structure' || (member === 'value' && isPlain(value))) return value
  const unknown = treatmentOfUnknown(policy, party)
  if (member === undefined || member === 'value') return treatedDeeply(policy, value, unknown, 'address')
  if ('owner' in member) return treatedDeeply(policy, value, treatmentOf(policy, member.owner, party), member.kind)
  if (member.cardinality === 'one' && isJsonObject(value)) return objectOf(member.table, value, place)
  if (member.cardinality !== 'many' || !Array.isArray(value)) return treatedDeeply(policy, value, unknown, 'address')
  return (value as readonly JsonValue[]).flatMap((element) => {
    if (isJsonObject(element)) return [objectOf(member.table, element, place)]
    const treated = treatedDeeply(policy, element, unknown, 'address')
    return treated === undefined ? [] : [treated]
  })
}

/** A text, a number and the like, or a list of them; an object in their place is nothing that the model knows. */
function isPlain(value: JsonValue): boolean {
  const isScalar = (each: JsonValue): boolean => typeof each !== 'object' || each === null || isRawNumber(each)
  return isScalar(value) || (Array.isArray(value) && (value as readonly JsonValue[]).every(isScalar))
}

/** Undefined where the value is dropped. Booleans and null say nothing of a person, and stay. */
function treatedDeeply(
  policy: ConversationPolicy,
  value: JsonValue,
  treatment: Treatment,
  kind: Kind,
): JsonValue | undefined {
  if (treatment === 'keep' || value === null || typeof value === 'boolean') return value
  if (treatment === 'drop') return undefined
  const hasher = hasherOf(policy)
  return replaceTexts(value, { text: (text) => hasher[kind](text), number: (number) => hasher[kind](number) })
}

/** @throws Error where there is none, which is a bug: the settings require a key where something is hashed */
export function hasherOf({ hasher }: ConversationPolicy): PersonalHasher {
  if (hasher === null) throw new Error('a policy that hashes has no key')
  return hasher
}

/** A column that holds personal data, and what happens to it. */
export interface TreatedField {
  /** With its table, and with whose values where these differ. */
  readonly name: string
  readonly treatment: Treatment
}

/** What the policy makes of every column that may hold personal data. */
export function treatedFields(policy: PersonalPolicy): TreatedField[] {
  const ofModel = (Object.entries(personalFields) as [TableName, Readonly<Record<string, PersonalField>>][]).flatMap(
    ([table, fields]) =>
      Object.entries(fields).flatMap(([api, { owner }]) => fieldsOf(policy, `${table}.${snakeCase(api)}`, owner)),
  )
  const users = Object.entries(referenceEntity('users').columns)
    .filter(([, { personal }]) => personal)
    .map(([column]) => `dim_users.${column}`)
  const employees = [...users, 'dim_users._extra'].map((name) => ({ name, treatment: policy.employees }))
  const unknown = [
    { name: 'what no column holds (_extra)', treatment: treatmentOfUnknown(policy, null) },
    { name: 'the same on participants that are employees', treatment: treatmentOfUnknown(policy, 'employee') },
  ]
  return [...ofModel, ...unknown, ...employees]
}

function fieldsOf(policy: PersonalPolicy, name: string, owner: Owner): TreatedField[] {
  if (owner !== 'party') return [{ name, treatment: treatmentOf(policy, owner, null) }]
  return [
    { name: `${name} of customers`, treatment: policy.customers },
    { name: `${name} of employees`, treatment: policy.employees },
  ]
}

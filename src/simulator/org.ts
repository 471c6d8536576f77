import { createRandom } from './random.ts'

/** A queue, with what the scenarios need. */
export interface Queue {
  readonly id: string
  readonly name: string
  readonly divisionId: string
  /** The longest wait that is within the service level, by media type. */
  readonly serviceLevelMs: Readonly<Record<'voice' | 'callback' | 'chat' | 'email' | 'message', number>>
  /** A caller who leaves earlier is a short abandon. */
  readonly shortAbandonMs: number
  readonly users: readonly User[]
}

/** The share of contacts that every queue means to answer within its service level. */
export const SERVICE_LEVEL_TARGET = 0.8

export interface User {
  readonly id: string
  readonly name: string
  readonly email: string
  readonly divisionId: string
  readonly teamId: string
  readonly state: 'active' | 'inactive' | 'deleted'
}

export interface Flow {
  readonly id: string
  readonly name: string
  readonly type: string
  readonly version: string
  readonly divisionId: string
}

interface Named {
  readonly id: string
  readonly name: string
}

/** Everything in the organization that outlives a conversation. */
export interface Org {
  readonly id: string
  readonly name: string
  readonly divisions: readonly Named[]
  readonly queues: readonly Queue[]
  readonly users: readonly User[]
  readonly flows: readonly Flow[]
  readonly wrapUpCodes: readonly Named[]
  readonly skills: readonly Named[]
  readonly languages: readonly Named[]
  readonly teams: readonly Named[]
  readonly groups: readonly Named[]
  readonly campaigns: readonly (Named & { readonly contactListId: string })[]
  readonly outcomes: readonly Named[]
  readonly evaluationForms: readonly (Named & { readonly contextId: string })[]
  readonly surveyForms: readonly (Named & { readonly contextId: string })[]
  readonly edges: readonly string[]
  readonly scripts: readonly string[]
}

export const FIRST_NAMES = [
  'Ada', 'Bruno', 'Chiara', 'Dmitri', 'Elif', 'Femi', 'Greta', 'Hugo', 'Ines', 'Jonas', 'Kaori', 'Lamia', 'Mikkel',
  'Noor', 'Oskar', 'Priya', 'Quentin', 'Rosa', 'Søren', 'Tamar', 'Uwe', 'Vera', 'Wanjiru', 'Xenia', 'Yusuf', 'Zoë',
] // prettier-ignore
export const LAST_NAMES = [
  'Abendroth', 'Bellweather', 'Cardamom', 'Dunlin', 'Everdale', 'Fennimore', 'Gallowglass', 'Hawkridge', 'Ivanhoe',
  'Juniper', 'Kestrelman', 'Larkspur', 'Merriweather', 'Nightingale', 'Oakhollow', 'Pennyfeather', 'Quillfeather',
  'Ravenscroft', 'Sandpiper', 'Thistlewood', 'Underhill', 'Vandermolen', 'Whistlecroft', 'Yarrowfield',
] // prettier-ignore

const plainNames = new Map<string, string>()

/** A name in the form used in e-mail addresses: lower-case Latin letters only. */
export function plainName(name: string): string {
  let plain = plainNames.get(name)
  if (plain === undefined) {
    plain = name
      .normalize('NFKD')
      .replaceAll(/[^A-Za-z]/g, '')
      .toLowerCase()
    plainNames.set(name, plain)
  }
  return plain
}

const QUEUE_NAMES = [
  'Billing', 'Orders', 'Returns', 'Technical Support', 'Claims', 'Sales', 'Retention', 'Premium Care', 'Dispatch',
  'Complaints', 'Collections', 'Back Office',
] // prettier-ignore
const WRAP_UP_CODE_NAMES = [
  'Resolved', 'Call back later', 'Escalated', 'Wrong department', 'Order placed', 'Order cancelled', 'Address changed',
  'Payment arranged', 'Complaint taken', 'No further contact', 'Appointment made', 'Information given', 'Sale',
  'Not interested', 'Test contact',
] // prettier-ignore
const FLOW_TYPES: readonly (readonly [string, string])[] = [
  ['Main Menu', 'INBOUNDCALL'],
  ['Night Menu', 'INBOUNDCALL'],
  ['Account Menu', 'INBOUNDCALL'],
  ['In Queue Music', 'INQUEUECALL'],
  ['Chat Entry', 'INBOUNDCHAT'],
  ['Mail Sorter', 'INBOUNDEMAIL'],
  ['Message Entry', 'INBOUNDSHORTMESSAGE'],
  ['Order Bot', 'DIGITALBOT'],
  ['Voice Bot', 'BOT'],
  ['Campaign Entry', 'OUTBOUNDCALL'],
  ['After Call Survey', 'VOICESURVEY'],
  ['In Queue Messages', 'INQUEUESHORTMESSAGE'],
]

/**
 * Makes the organization of a seed: the same seed gives the same ids and names.
 */
export function createOrg(seed: string): Org {
  const random = createRandom(`${seed}/org`)
  const named = (names: readonly string[]): Named[] => names.map((name) => ({ id: random.uuid(), name }))
  const divisions = named(['Home', 'North', 'South', 'Partners'])
  const divisionId = (index: number): string => divisions[index % divisions.length]?.id ?? ''
  const teams = named(['Early Birds', 'Night Owls', 'Seniors', 'Newcomers'])
  const users = Array.from({ length: 60 }, (_, index): User => {
    const name = `${FIRST_NAMES[index % FIRST_NAMES.length]} ${LAST_NAMES[(index * 7 + Math.floor(index / 24)) % LAST_NAMES.length]}`
    const email = `${name.split(' ').map(plainName).join('.')}.${index}@agents.example.com`
    const state = index % 20 === 19 ? 'deleted' : index % 15 === 14 ? 'inactive' : 'active'
    return { id: random.uuid(), name, email, divisionId: divisionId(index % 3), teamId: random.pick(teams).id, state }
  })
  return {
    id: random.uuid(),
    name: 'Example Mail Order (simulated)',
    divisions,
    users,
    teams,
    queues: QUEUE_NAMES.map((name, index) => ({
      id: random.uuid(),
      name,
      divisionId: divisionId(index % 4),
      serviceLevelMs: {
        voice: index % 3 === 0 ? 30_000 : 20_000,
        callback: 3_600_000,
        chat: 30_000,
        email: 86_400_000,
        message: 60_000,
      },
      shortAbandonMs: 10_000,
      users: random.sample(users.slice(0, 54), 14),
    })),
    flows: FLOW_TYPES.map(([name, type], index) => ({
      id: random.uuid(),
      name,
      type,
      version: `${random.int(1, 48)}.0`,
      divisionId: divisionId(index % 2),
    })),
    wrapUpCodes: named(WRAP_UP_CODE_NAMES),
    skills: named(['English', 'German', 'French', 'Contracts', 'Hardware', 'VIP', 'Legal', 'Mainframe']),
    languages: named(['English - Written', 'English - Spoken', 'German - Spoken', 'French - Written']),
    groups: named(['First Line', 'Second Line', 'Supervisors']),
    campaigns: named(['Win Back', 'Renewals', 'Appointment Reminders']).map((campaign) => ({
      ...campaign,
      contactListId: random.uuid(),
    })),
    outcomes: named(['Identified caller', 'Balance given', 'Order status given']),
    evaluationForms: named(['Call Quality', 'Compliance']).map((form) => ({ ...form, contextId: random.uuid() })),
    surveyForms: named(['After Contact', 'Relationship']).map((form) => ({ ...form, contextId: random.uuid() })),
    edges: [random.uuid(), random.uuid(), random.uuid()],
    scripts: [random.uuid(), random.uuid()],
  }
}

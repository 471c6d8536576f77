import { createRandom } from './random.ts'
import type { Json } from './conversation-plan.ts'
import type { Org, User } from './org.ts'

/** The lists that can be changed. */
export type ListName =
  | 'users'
  | 'queues'
  | 'wrapUpCodes'
  | 'divisions'
  | 'skills'
  | 'languages'
  | 'skillGroups'
  | 'flows'
  | 'outcomes'
  | 'milestones'
  | 'teams'
  | 'groups'
  | 'locations'
  | 'presences'
  | 'evaluationForms'
  | 'surveyForms'
  | 'campaigns'
  | 'contactLists'

interface StoredEntity {
  entity: Json
  /** Gone from its list without a trace. */
  isGone: boolean
  /** As it was before it was deleted. */
  before: Json | undefined
}

const CHANGED_AT = '2025-11-03T09:12:44.000Z'

/** The organization's lists of reference data, which the control API can change. */
export class ReferenceStore {
  readonly #lists: Readonly<Record<ListName, Map<string, StoredEntity>>>
  readonly #members: ReadonlyMap<string, Json[]>
  /** A list whose pages are all the first one. */
  repeatedList: string | null = null

  constructor(org: Org, seed: string) {
    const lists = listsOf(org, seed)
    this.#lists = Object.fromEntries(
      Object.entries(lists).map(([name, entities]) => [
        name,
        new Map(entities.map((entity) => [String(entity['id']), { entity, isGone: false, before: undefined }])),
      ]),
    ) as unknown as Record<ListName, Map<string, StoredEntity>>
    this.#members = new Map([
      ...org.queues.map((queue) => [queue.id, queue.users.map(queueMember)] as const),
      ...org.teams.map(
        (team) => [team.id, org.users.filter((user) => user.teamId === team.id).map(teamMember)] as const,
      ),
    ])
  }

  /** What a list has, deleted entities that it still shows included. */
  list(name: ListName): Json[] {
    return [...this.#lists[name].values()].filter(({ isGone }) => !isGone).map(({ entity }) => entity)
  }

  /** The members of a queue or team; undefined where it is gone. */
  members(list: 'queues' | 'teams', id: string): Json[] | undefined {
    const parent = this.#lists[list].get(id)
    return parent === undefined || parent.isGone ? undefined : (this.#members.get(id) ?? [])
  }

  /** Adds an entity to a list. */
  add(name: ListName, entity: Json): void {
    this.#lists[name].set(String(entity['id']), { entity, isGone: false, before: undefined })
  }

  /**
   * Changes fields of an entity: `{ name: 'New name' }`.
   * @throws RangeError where there is none
   */
  change(name: ListName, id: string, fields: Json): void {
    const stored = this.#find(name, id)
    stored.entity = { ...stored.entity, ...fields }
  }

  /**
   * Deletes an entity as an administrator does: where its list has states it stays there as deleted, elsewhere it is gone.
   * @throws RangeError where there is none
   */
  delete(name: ListName, id: string): void {
    const stored = this.#find(name, id)
    stored.before = stored.entity
    if (name === 'flows') stored.entity = { ...stored.entity, deleted: true }
    else if ('state' in stored.entity) stored.entity = { ...stored.entity, state: 'deleted' }
    else stored.isGone = true
  }

  /** @throws RangeError where there is none */
  deletePermanently(name: ListName, id: string): void {
    this.#find(name, id).isGone = true
  }

  /**
   * Brings a deleted entity back.
   * @throws RangeError where there is none
   */
  restore(name: ListName, id: string): void {
    const stored = this.#find(name, id)
    stored.isGone = false
    stored.entity = stored.before ?? stored.entity
    stored.before = undefined
  }

  #find(name: ListName, id: string): StoredEntity {
    const stored = Object.hasOwn(this.#lists, name) ? this.#lists[name].get(id) : undefined
    if (stored === undefined) throw new RangeError(`${name} has no ${id}`)
    return stored
  }
}

function queueMember(user: User): Json {
  return {
    id: user.id,
    name: user.name,
    user: { id: user.id, name: user.name, email: user.email },
    ringNumber: 1,
    joined: user.state === 'active',
    memberBy: 'user',
    routingStatus: { userId: user.id, status: 'OFF_QUEUE' },
  }
}

function teamMember({ id, name }: User): Json {
  return { id, name }
}

function divisionOf(org: Org, id: string | undefined): Json {
  const found = org.divisions.find((each) => each.id === id) ?? org.divisions[0]
  return { id: found?.id, name: found?.name, selfUri: `/api/v2/authorization/divisions/${found?.id}` }
}

/** The first content of all lists: what conversations name, and some lists that only reference data has. */
function listsOf(org: Org, seed: string): Record<ListName, Json[]> {
  const random = createRandom(`${seed}/reference`)
  const division = divisionOf(org, undefined)
  const named = (names: readonly string[]): { id: string; name: string }[] =>
    names.map((name) => ({ id: random.uuid(), name }))
  return {
    ...peopleOf(org),
    ...routingOf(org),
    skillGroups: named(['German speakers', 'Hardware experts']).map((group) => ({
      ...group, division, description: '', memberCount: 9, dateModified: CHANGED_AT, dateCreated: CHANGED_AT, status: 'COMPLETE',
    })),
    flows: org.flows.map((flow) => ({
      id: flow.id,
      name: flow.name,
      division: divisionOf(org, flow.divisionId),
      type: flow.type,
      active: true,
      system: false,
      deleted: false,
      publishedVersion: { id: flow.version },
    })),
    outcomes: org.outcomes.map((outcome) => ({ ...outcome, division, description: '' })),
    milestones: named(['Identified', 'Authenticated', 'Offer shown']).map((milestone) => ({ ...milestone, division, description: '' })),
    locations: named(['Berlin', 'Lyon']).map((location, index) => ({
      ...location,
      state: 'active',
      version: 1,
      address: { city: location.name, country: index === 0 ? 'DE' : 'FR', street1: '1 Example Street', zipcode: '00000' },
    })),
    presences: (
      [
        ['Available', 'System'],
        ['On Queue', 'System'],
        ['Break', 'System'],
        ['Lunch', 'User'],
      ] as const
    ).map(([label, type]) => ({
      id: random.uuid(),
      type,
      languageLabels: { en_US: label, de: `${label} (de)` },
      systemPresence: type === 'User' ? 'Break' : label,
      divisionId: '*',
      deactivated: false,
    })),
    ...formsOf(org),
    ...outboundOf(org),
  } // prettier-ignore
}

function formsOf(org: Org): Record<'evaluationForms' | 'surveyForms', Json[]> {
  return {
    evaluationForms: org.evaluationForms.map((form) => ({
      ...form,
      division: { id: '*' },
      modifiedDate: CHANGED_AT,
      published: true,
      weightMode: 'OFF',
      questionGroups: [],
    })),
    surveyForms: org.surveyForms.map((form) => ({
      ...form,
      division: { id: '*' },
      modifiedDate: CHANGED_AT,
      published: true,
      disabled: false,
      language: 'en-US',
      questionGroups: [],
    })),
  }
}

function outboundOf(org: Org): Record<'campaigns' | 'contactLists', Json[]> {
  const division = divisionOf(org, undefined)
  return {
    campaigns: org.campaigns.map(({ id, name, contactListId }) => ({
      id,
      name,
      division,
      dateCreated: CHANGED_AT,
      dateModified: CHANGED_AT,
      version: 4,
      contactList: { id: contactListId, name: `${name} contacts` },
      dialingMode: 'preview',
      campaignStatus: 'on',
      phoneColumns: [{ columnName: 'Phone', type: 'Cell' }],
      callerName: '',
      callerAddress: '',
    })),
    contactLists: org.campaigns.map(({ name, contactListId }) => ({
      id: contactListId,
      name: `${name} contacts`,
      division,
      dateCreated: CHANGED_AT,
      dateModified: CHANGED_AT,
      version: 2,
      columnNames: ['Id', 'Phone'],
      phoneColumns: [{ columnName: 'Phone', type: 'Cell' }],
    })),
  }
}

function peopleOf(org: Org): Record<'users' | 'divisions' | 'teams' | 'groups', Json[]> {
  return {
    users: org.users.map((user, index) => ({
      id: user.id,
      name: user.name,
      division: divisionOf(org, user.divisionId),
      department: 'Service',
      email: user.email,
      state: user.state,
      title: 'Agent',
      username: user.email,
      ...(index > 0 && { manager: { id: org.users[0]?.id } }),
      version: 3,
    })),
    divisions: org.divisions.map(({ id, name }, index) => ({
      id,
      name,
      description: `${name} division`,
      homeDivision: index === 0,
    })),
    teams: org.teams.map((team) => ({
      ...team,
      division: divisionOf(org, undefined),
      dateCreated: CHANGED_AT,
      dateModified: CHANGED_AT,
      memberCount: org.users.filter(({ teamId }) => teamId === team.id).length,
    })),
    groups: org.groups.map((group) => ({
      ...group,
      dateModified: CHANGED_AT,
      memberCount: 4,
      state: 'active',
      version: 1,
      type: 'official',
      rulesVisible: true,
      visibility: 'public',
    })),
  }
}

function routingOf(org: Org): Record<'queues' | 'wrapUpCodes' | 'skills' | 'languages', Json[]> {
  const level = (durationMs: number): Json => ({ serviceLevel: { percentage: 0.8, durationMs } })
  return {
    queues: [...org.queues]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((queue) => ({
        id: queue.id,
        name: queue.name,
        division: divisionOf(org, queue.divisionId),
        dateModified: CHANGED_AT,
        memberCount: queue.users.length,
        mediaSettings: {
          call: level(queue.serviceLevelMs.voice),
          callback: level(queue.serviceLevelMs.callback),
          chat: level(queue.serviceLevelMs.chat),
          email: level(queue.serviceLevelMs.email),
          message: level(queue.serviceLevelMs.message),
        },
      })),
    wrapUpCodes: org.wrapUpCodes.map(({ id, name }) => ({ id, name, division: { id: '*' }, dateModified: CHANGED_AT })),
    skills: org.skills.map(({ id, name }) => ({ id, name, state: 'active', version: '1' })),
    languages: org.languages.map(({ id, name }) => ({ id, name, state: 'active', version: '1' })),
  }
}

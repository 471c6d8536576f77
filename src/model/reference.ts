/**
 * THE list of reference data: every list of Genesys Cloud that conversations refer to by id, how it is read, and the columns of its table
 * `genesys.dim_…`. The reader, the SQL, the permissions that `doctor` checks, `COMMENT ON` and the data dictionary are derived from it.
 * Paths, permissions and fields: Genesys Cloud Platform API (SDK 262.0.0); page sizes as the API accepts or clamps them.
 */
import { type FieldType } from './model.ts'

/** How a list is divided into answers: `pages` by pageNumber, `cursor` by the `after` of its nextUri, `whole` in one answer. */
export type Paging = 'pages' | 'cursor' | 'whole'

/** One column of a table of reference data. */
export interface ReferenceColumn {
  readonly type: FieldType
  /** Where its value is in the JSON of an entity, as property names; of several places the first that has a value. Null: the loader's own. */
  readonly from: readonly (readonly string[])[] | null
  readonly description: string
  /** Set where the value names, reaches or identifies a person. */
  readonly personal?: true
}

/** How one list is read. */
export interface ReferenceListing {
  /** `{id}` stands for the id of the parent. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly paging: Paging
  readonly pageSize: number
}

/** One list of reference data. */
export interface ReferenceEntity {
  readonly description: string
  /** Null: made of the answers of another entity. */
  readonly listing: ReferenceListing | null
  /** The entity whose rows have a list each: `queues` for their members. */
  readonly parent?: 'queues' | 'teams'
  /** The permission that its list needs; null: none. */
  readonly permission: string | null
  /** What is missing without its list, to follow "without it". */
  readonly lost: string
  /** Its key, in the order of the table; a parent's id comes first. */
  readonly key: readonly string[]
  /** The columns between the key and `_extra`; the key's own are among them. */
  readonly columns: Readonly<Record<string, ReferenceColumn>>
  /**
   * Properties that are not kept: they change all the time without anybody having changed the entity, or are of no use. Everything else
   * that no column holds is in `_extra`.
   */
  readonly ignored: readonly string[]
}

const at = (path: string): readonly (readonly string[])[] => [path.split('.')]

function column(type: FieldType, path: string, description: string): ReferenceColumn {
  return { type, from: at(path), description }
}

const id = (what: string): ReferenceColumn => column('text', 'id', `Id of the ${what}.`)
const name = (what: string): ReferenceColumn =>
  column('text', 'name', `Name of the ${what}; the last one that was known where it is deleted.`)
const division = (what: string): ReferenceColumn =>
  column('text', 'division.id', `Division of the ${what}: genesys.dim_divisions.id.`)
const description = (what: string): ReferenceColumn =>
  column('text', 'description', `Description of the ${what} by its administrators.`)
const created = (what: string): ReferenceColumn => column('timestamptz', 'dateCreated', `When the ${what} was created.`)
const modified = (what: string, path = 'dateModified'): ReferenceColumn =>
  column('timestamptz', path, `When the ${what} was last changed in Genesys.`)
const state = (what: string): ReferenceColumn =>
  column('text', 'state', `State of the ${what} in Genesys: active, inactive or deleted.`)

const common = { paging: 'pages', pageSize: 100 } as const

const referenceEntities = {
  users: {
    description: 'Users (agents, supervisors, everybody with an account), including inactive and deleted ones.',
    // without state=any those who have left would be missing
    listing: { path: '/api/v2/users', query: { state: 'any' }, paging: 'pages', pageSize: 500 },
    permission: null,
    lost: 'agents have no names',
    key: ['id'],
    columns: {
      id: id('user'),
      name: { ...name('user'), personal: true },
      division_id: division('user'),
      state: state('user'),
      email: { ...column('text', 'email', 'E-mail address.'), personal: true },
      username: { ...column('text', 'username', 'Name with which the user logs in.'), personal: true },
      preferred_name: { ...column('text', 'preferredName', 'Name that the user prefers.'), personal: true },
      department: column('text', 'department', 'Department.'),
      title: column('text', 'title', 'Job title.'),
      manager_id: column('text', 'manager.id', 'Manager: genesys.dim_users.id.'),
    },
    ignored: [
      'selfUri', 'images', 'presence', 'integrationPresence', 'routingStatus', 'conversationSummary', 'outOfOffice', 'geolocation',
      'station', 'lastTokenIssued', 'dateLastLogin',
    ], // prettier-ignore
  },
  queues: {
    description: 'Queues. Their service levels are in dim_queue_service_levels.',
    listing: { ...common, path: '/api/v2/routing/queues' },
    permission: 'routing:queue:view',
    lost: 'queues have no names, and their service levels and members are unknown',
    key: ['id'],
    columns: {
      id: id('queue'),
      name: name('queue'),
      division_id: division('queue'),
      description: description('queue'),
      date_created: created('queue'),
      date_modified: modified('queue'),
    },
    ignored: ['selfUri', 'memberCount', 'userMemberCount', 'joinedMemberCount'],
  },
  queue_service_levels: {
    description:
      'Service levels of queues by media type, with their history: over_service_level was judged by the target that held then. One row per queue, media type and period; the present one has no _valid_to. Targets before the first read are unknown.',
    listing: null,
    permission: 'routing:queue:view',
    lost: 'service levels of queues are unknown',
    key: ['queue_id', 'media_type'],
    columns: {
      queue_id: { type: 'text', from: null, description: 'The queue: genesys.dim_queues.id.' },
      media_type: {
        type: 'text',
        from: null,
        description: 'Media type as in genesys.sessions: voice, callback, chat, email, message, …',
      },
      target: column(
        'double precision',
        'serviceLevel.percentage',
        'Share of the answered conversations that is to be answered within threshold_ms, 0 to 1.',
      ),
      threshold_ms: column(
        'bigint',
        'serviceLevel.durationMs',
        'Longest wait, in milliseconds, that is within the service level.',
      ),
    },
    ignored: [],
  },
  queue_members: {
    description: 'Which users are members of which queues.',
    // answers have neither total nor pageCount, and 100 is the most that the API accepts here
    listing: { ...common, path: '/api/v2/routing/queues/{id}/members' },
    parent: 'queues',
    permission: 'routing:queue:view',
    lost: 'members of queues are unknown',
    key: ['queue_id', 'user_id'],
    columns: {
      queue_id: { type: 'text', from: null, description: 'The queue: genesys.dim_queues.id.' },
      user_id: column('text', 'id', 'The member: genesys.dim_users.id.'),
      joined: column('boolean', 'joined', 'Whether the member takes part in the queue at present.'),
      ring_number: column('bigint', 'ringNumber', 'Ring of bullseye routing.'),
      member_by: column('text', 'memberBy', 'How the user became a member: user, or group.'),
    },
    // the user is in dim_users
    ignored: ['selfUri', 'routingStatus', 'user', 'name'],
  },
  wrap_up_codes: {
    description: 'Wrap-up codes of the organization, and those of the system (ININ-…), which Genesys does not list.',
    listing: { ...common, path: '/api/v2/routing/wrapupcodes' },
    permission: 'routing:wrapupCode:view',
    lost: 'wrap-up codes have no names',
    key: ['id'],
    columns: {
      id: id('wrap-up code'),
      name: name('wrap-up code'),
      division_id: division('wrap-up code'),
      description: description('wrap-up code'),
      is_system: {
        type: 'boolean',
        from: null,
        description: 'Whether Genesys itself sets it; its name and description then are those of genesys-etl.',
      },
      date_created: created('wrap-up code'),
      date_modified: modified('wrap-up code'),
    },
    ignored: ['selfUri'],
  },
  divisions: {
    description: 'Divisions of the organization.',
    listing: { ...common, path: '/api/v2/authorization/divisions' },
    permission: null,
    lost: 'divisions have no names',
    key: ['id'],
    columns: {
      id: id('division'),
      name: name('division'),
      description: description('division'),
      home_division: column('boolean', 'homeDivision', 'Whether it is the division that every organization has.'),
    },
    ignored: ['selfUri', 'objectCounts'],
  },
  skills: {
    description: 'Skills that conversations can request.',
    listing: { ...common, path: '/api/v2/routing/skills' },
    permission: 'routing:skill:view',
    lost: 'skills have no names',
    key: ['id'],
    columns: {
      id: id('skill'),
      name: name('skill'),
      division_id: division('skill'),
      state: state('skill'),
      date_modified: modified('skill'),
    },
    ignored: ['selfUri'],
  },
  languages: {
    description: 'Languages that conversations can request.',
    listing: { ...common, path: '/api/v2/routing/languages' },
    permission: null,
    lost: 'languages have no names',
    key: ['id'],
    columns: {
      id: id('language'),
      name: name('language'),
      state: state('language'),
      date_modified: modified('language'),
    },
    ignored: ['selfUri'],
  },
  skill_groups: {
    description: 'Skill groups: agents by their skills.',
    listing: { ...common, path: '/api/v2/routing/skillgroups', paging: 'cursor' },
    permission: 'routing:skillGroup:view',
    lost: 'skill groups have no names',
    key: ['id'],
    columns: {
      id: id('skill group'),
      name: name('skill group'),
      division_id: division('skill group'),
      description: description('skill group'),
      date_created: created('skill group'),
      date_modified: modified('skill group'),
    },
    ignored: ['selfUri', 'memberCount', 'status'],
  },
  flows: {
    description: 'Architect flows, including deleted ones.',
    listing: { ...common, path: '/api/v2/flows', query: { deleted: 'true' } },
    permission: 'architect:flow:view',
    lost: 'flows have only the names that conversations tell',
    key: ['id'],
    columns: {
      id: id('flow'),
      name: name('flow'),
      division_id: division('flow'),
      type: column('text', 'type', 'Kind of flow: INBOUNDCALL, INQUEUECALL, DIGITALBOT, …'),
      description: description('flow'),
      active: column('boolean', 'active', 'Whether it is active.'),
      system: column('boolean', 'system', 'Whether it is one of Genesys itself.'),
      deleted: column('boolean', 'deleted', 'Whether Genesys lists it as deleted.'),
      published_version: column('text', 'publishedVersion.id', 'Its published version.'),
    },
    ignored: ['selfUri', 'lockedUser', 'lockedClient', 'currentOperation'],
  },
  flow_outcomes: {
    description: 'Outcomes that flows can report.',
    listing: { ...common, path: '/api/v2/flows/outcomes' },
    permission: 'architect:flowOutcome:view',
    lost: 'flow outcomes have no names',
    key: ['id'],
    columns: {
      id: id('flow outcome'),
      name: name('flow outcome'),
      division_id: division('flow outcome'),
      description: description('flow outcome'),
    },
    ignored: ['selfUri', 'currentOperation'],
  },
  flow_milestones: {
    description: 'Milestones that flows can report.',
    listing: { ...common, path: '/api/v2/flows/milestones' },
    permission: 'architect:flowMilestone:view',
    lost: 'flow milestones have no names',
    key: ['id'],
    columns: {
      id: id('flow milestone'),
      name: name('flow milestone'),
      division_id: division('flow milestone'),
      description: description('flow milestone'),
    },
    ignored: ['selfUri'],
  },
  teams: {
    description: 'Teams. A user is in one team at most.',
    listing: { ...common, path: '/api/v2/teams', paging: 'cursor' },
    permission: 'groups:team:view',
    lost: 'teams have no names, and their members are unknown',
    key: ['id'],
    columns: {
      id: id('team'),
      name: name('team'),
      division_id: division('team'),
      description: description('team'),
      date_created: created('team'),
      date_modified: modified('team'),
    },
    ignored: ['selfUri', 'memberCount'],
  },
  team_members: {
    description: 'Which users are members of which teams.',
    listing: { ...common, path: '/api/v2/teams/{id}/members', paging: 'cursor' },
    parent: 'teams',
    permission: 'groups:team:view',
    lost: 'members of teams are unknown',
    key: ['team_id', 'user_id'],
    columns: {
      team_id: { type: 'text', from: null, description: 'The team: genesys.dim_teams.id.' },
      user_id: column('text', 'id', 'The member: genesys.dim_users.id.'),
    },
    // the user is in dim_users
    ignored: ['selfUri', 'name'],
  },
  groups: {
    description: 'Groups of users.',
    listing: { ...common, path: '/api/v2/groups' },
    permission: null,
    lost: 'groups have no names',
    key: ['id'],
    columns: {
      id: id('group'),
      name: name('group'),
      type: column('text', 'type', 'Kind of group: official or social.'),
      state: state('group'),
      visibility: column('text', 'visibility', 'Who can see the group: public, owners or members.'),
      description: description('group'),
      date_modified: modified('group'),
    },
    ignored: ['selfUri', 'memberCount', 'images'],
  },
  locations: {
    description: 'Locations of the organization.',
    listing: { ...common, path: '/api/v2/locations' },
    permission: null,
    lost: 'locations have no names',
    key: ['id'],
    columns: {
      id: id('location'),
      name: name('location'),
      state: state('location'),
      city: column('text', 'address.city', 'City.'),
      country: column('text', 'address.country', 'Country.'),
    },
    ignored: ['selfUri', 'images', 'profileImage', 'floorplanImage'],
  },
  presence_definitions: {
    description: 'Presences that users can choose: Available, Break, …',
    listing: { path: '/api/v2/presence/definitions', paging: 'whole', pageSize: 100 },
    permission: 'presence:presenceDefinition:view',
    lost: 'presences have no names',
    key: ['id'],
    columns: {
      id: id('presence'),
      name: {
        type: 'text',
        from: [['name'], ['languageLabels', 'en_US'], ['languageLabels', 'en']],
        description:
          'Name of the presence, or its English label; the last one that was known where it is deleted. Labels in other languages are in _extra.',
      },
      division_id: column('text', 'divisionId', 'Division of the presence: genesys.dim_divisions.id.'),
      system_presence: column(
        'text',
        'systemPresence',
        'System presence that it belongs to: Available, Away, Break, …',
      ),
      type: column('text', 'type', 'System for presences of Genesys itself, else User.'),
      deactivated: column('boolean', 'deactivated', 'Whether it can no longer be chosen.'),
    },
    ignored: ['selfUri'],
  },
  evaluation_forms: {
    description:
      'Evaluation forms. An evaluation names the version of the form that it used; context_id is the same for all versions.',
    listing: { ...common, path: '/api/v2/quality/forms/evaluations', query: { expand: 'publishHistory' } },
    permission: 'quality:evaluationForm:view',
    lost: 'evaluation forms have only the names that conversations tell',
    key: ['id'],
    columns: {
      id: id('latest version of the form'),
      name: name('form'),
      division_id: division('form'),
      context_id: column('text', 'contextId', 'Id of the form, whatever its version.'),
      published: column('boolean', 'published', 'Whether the version is published.'),
      modified_date: modified('form', 'modifiedDate'),
    },
    ignored: ['selfUri'],
  },
  survey_forms: {
    description: 'Survey forms. context_id is the same for all versions of a form.',
    listing: { ...common, path: '/api/v2/quality/forms/surveys' },
    permission: 'quality:surveyForm:view',
    lost: 'survey forms have only the names that conversations tell',
    key: ['id'],
    columns: {
      id: id('latest version of the form'),
      name: name('form'),
      division_id: division('form'),
      context_id: column('text', 'contextId', 'Id of the form, whatever its version.'),
      language: column('text', 'language', 'Language of the form.'),
      published: column('boolean', 'published', 'Whether the version is published.'),
      disabled: column('boolean', 'disabled', 'Whether the form is disabled.'),
      modified_date: modified('form', 'modifiedDate'),
    },
    ignored: ['selfUri'],
  },
  campaigns: {
    description: 'Outbound campaigns.',
    listing: { ...common, path: '/api/v2/outbound/campaigns' },
    permission: 'outbound:campaign:view',
    lost: 'campaigns have no names',
    key: ['id'],
    columns: {
      id: id('campaign'),
      name: name('campaign'),
      division_id: division('campaign'),
      campaign_status: column('text', 'campaignStatus', 'Status when it was read: on, off, stopping, complete, …'),
      dialing_mode: column('text', 'dialingMode', 'How it dials: preview, power, progressive, predictive, …'),
      queue_id: column('text', 'queue.id', 'Queue of its agents: genesys.dim_queues.id.'),
      contact_list_id: column('text', 'contactList.id', 'Whom it calls: genesys.dim_contact_lists.id.'),
      date_created: created('campaign'),
      date_modified: modified('campaign'),
    },
    ignored: ['selfUri', 'errors'],
  },
  contact_lists: {
    description: 'Contact lists of outbound campaigns, without their contacts.',
    listing: { ...common, path: '/api/v2/outbound/contactlists' },
    permission: 'outbound:contactList:view',
    lost: 'contact lists have no names',
    key: ['id'],
    columns: {
      id: id('contact list'),
      name: name('contact list'),
      division_id: division('contact list'),
      date_created: created('contact list'),
      date_modified: modified('contact list'),
    },
    ignored: ['selfUri', 'size', 'importStatus'],
  },
} as const satisfies Readonly<Record<string, ReferenceEntity>>

/** The name of a list, which is that of its table without `dim_`. */
export type ReferenceName = keyof typeof referenceEntities

/** All lists in the order in which they are read: parents before the lists of their rows. */
export const referenceNames: readonly ReferenceName[] = Object.keys(referenceEntities) as ReferenceName[]

/** The entity of a name, as its general type. */
export function referenceEntity(name: ReferenceName): ReferenceEntity {
  return referenceEntities[name]
}

/** Its table, with the schema. */
export function referenceTable(name: ReferenceName): string {
  return `genesys.dim_${name}`
}

/** One column of a table as the database has it. */
export interface StoredReferenceColumn {
  readonly name: string
  readonly type: FieldType
  readonly description: string
  readonly personal: boolean
}

const extra: StoredReferenceColumn = {
  name: '_extra',
  type: 'jsonb',
  description:
    'What Genesys sent for it and no column holds, by API name; null when there is none. May hold personal data.',
  personal: true,
}

const ownTime = (name: string, description: string): StoredReferenceColumn => ({
  name,
  type: 'timestamptz',
  description: `${description}, by the clock of the database.`,
  personal: false,
})

const validity: readonly StoredReferenceColumn[] = [
  ownTime(
    '_valid_from',
    'When this target was first read; it may have held before if it is the first of its queue and media type',
  ),
  ownTime('_valid_to', 'When a read first found another target, or none; null: it holds at present'),
]

const bookkeeping: readonly StoredReferenceColumn[] = [
  ownTime('_first_seen_at', 'When it was first read'),
  ownTime('_changed_at', 'When this row last changed, deletion and return included: unchanged rows are not rewritten'),
  ownTime(
    '_deleted_at',
    'When a complete read first found it deleted, or lacked it (it was deleted, or the OAuth client no longer sees its division); null: it exists',
  ),
]

/** Every column of a table in the table's order. */
export function referenceColumnsOf(name: ReferenceName): readonly StoredReferenceColumn[] {
  const { columns } = referenceEntity(name)
  return [
    ...Object.entries(columns).map(([column, { type, description, personal = false }]) => ({
      name: column,
      type,
      description,
      personal,
    })),
    extra,
    ...(name === 'queue_service_levels' ? validity : []),
    ...bookkeeping,
  ]
}

import type { JsonObject, JsonValue } from './json.ts'
import { model } from './model.ts'
import type { Entity, FieldType, PositionColumn } from './model.ts'

export type TableName = keyof typeof model

/** One column of a table in schema `genesys`. */
export interface Column {
  /** In snake_case, as in Postgres. */
  readonly name: string
  readonly type: FieldType | 'integer'
  /** The API's name of its field; null for our own columns. */
  readonly api: string | null
  readonly description: string
  readonly personal: boolean
}

/** What a cell holds: text and timestamptz as string, integers as number or bigint, jsonb as the JSON value itself; null: absent. */
export type Value = JsonValue | bigint | readonly (number | bigint | null)[]

/** One row, aligned with dataColumnsOf(table). */
export type Row = readonly Value[]

/** Rows of any number of conversations, by table. */
export type RowSet = { [T in TableName]: Row[] }

/** All tables of schema `genesys` that hold history, parents before their children. */
export const tables: readonly TableName[] = Object.keys(model) as TableName[]

/**
 * The snake_case of an API name: every capital starts a word, digits don't.
 * mediaStatsMinConversationRFactor → media_stats_min_conversation_r_factor, q850ResponseCodes → q850_response_codes.
 */
export function snakeCase(apiName: string): string {
  return apiName.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`)
}

/** A RowSet with no rows. */
export function emptyRowSet(): RowSet {
  return Object.fromEntries(tables.map((table) => [table, []])) as unknown as RowSet
}

/** Every column of a table in the table's order: keys, position, API fields in model order, `_extra`, the loader's. */
export function columnsOf(table: TableName): readonly Column[] {
  return allColumns[table]
}

/** The columns of a table that transform fills, which a Row is aligned with: columnsOf without the loader's own. */
export function dataColumnsOf(table: TableName): readonly Column[] {
  return dataColumns[table]
}

/** How deep in a conversation's JSON the objects of a table are: 0 for the conversation, 2 for participants in their list. */
export function depthOf(table: TableName): number {
  const { parent, property, cardinality }: Entity = model[table]
  if (parent === null) return 0
  return depthOf(parent as TableName) + (property === null ? 0 : cardinality === 'many' ? 2 : 1)
}

/**
 * The position of a column in a Row of that table.
 * @throws Error on a name that the table doesn't have: that is a bug
 */
export function columnIndex(table: TableName, name: string): number {
  const index = dataColumns[table].findIndex((column) => column.name === name)
  if (index === -1) throw new Error(`genesys.${table} has no column ${name}`)
  return index
}

const position: Readonly<Record<PositionColumn, Omit<Column, 'name' | 'api'>>> = {
  _index: {
    type: 'integer',
    description:
      "The row's place among this table's rows of its conversation, from 0, in the order of the API's answer.",
    personal: false,
  },
  _participant_index: {
    type: 'integer',
    description: 'The `_index` of its participant. Join on it, not on participant_id, which can be absent or repeated.',
    personal: false,
  },
  _session_index: {
    type: 'integer',
    description: 'The `_index` of its session. Join on it, not on session_id, which can be absent or repeated.',
    personal: false,
  },
  participant_id: {
    type: 'text',
    description: "Copy of the participant's participant_id, for reading; absent where the participant has none.",
    personal: false,
  },
  session_id: {
    type: 'text',
    description:
      "Copy of the session's session_id, for reading; absent where the session has none. Unique within its conversation only.",
    personal: false,
  },
}

const extra: Column = {
  name: '_extra',
  type: 'jsonb',
  api: null,
  description:
    'What the API sent for this record and no column holds, by API name: fields unknown to this version, values of an unexpected type, times and numbers in a spelling that the column does not keep. Null when there is none. May hold personal data.',
  personal: true,
}

const loaderColumns: readonly Column[] = [
  {
    name: '_loaded_at',
    type: 'timestamptz',
    api: null,
    description:
      'When this version of the conversation was written, by the clock of the database. Indexed: the change feed for incremental models.',
    personal: false,
  },
  {
    name: '_source',
    type: 'text',
    api: null,
    description: 'Which interface of Genesys delivered this version, e.g. query for a details query.',
    personal: false,
  },
  {
    name: '_run_id',
    type: 'bigint',
    api: null,
    description: 'The run that wrote this version: etl.runs.id.',
    personal: false,
  },
  {
    name: '_missing_since',
    type: 'timestamptz',
    api: null,
    description:
      'Since when Genesys is known to have it no more: a complete read of its day, or one by its id, did not bring it. Null as soon as a read brings it again. Setting and clearing it moves `_loaded_at`.',
    personal: false,
  },
]

function keyColumns(table: TableName): readonly Column[] {
  const { conversationId, conversationStart } = model.conversations.fields
  const api = table === 'conversations'
  return [
    {
      name: 'conversation_id',
      type: 'text',
      api: api ? 'conversationId' : null,
      description: api ? conversationId.description : 'The conversation of the row.',
      personal: false,
    },
    {
      name: 'conversation_start',
      type: 'timestamptz',
      api: api ? 'conversationStart' : null,
      description: api
        ? conversationStart.description
        : "Copy of the conversation's start: the tables are partitioned by its month. Put a range of it into every WHERE and JOIN.",
      personal: false,
    },
  ]
}

function deriveDataColumns(table: TableName): readonly Column[] {
  const entity: Entity = model[table]
  const keys = keyColumns(table)
  const ours = entity.position.map((name) => ({ name, api: null, ...position[name] }))
  const fields = Object.entries(entity.fields)
    .filter(([api]) => !keys.some((key) => key.api === api))
    .map(([api, { type, description, personal }]) => ({
      name: snakeCase(api),
      type,
      api,
      description,
      personal: personal === true,
    }))
  return [...keys, ...ours, ...fields, extra]
}

const dataColumns = Object.fromEntries(tables.map((table) => [table, deriveDataColumns(table)])) as unknown as Readonly<
  Record<TableName, readonly Column[]>
>

const allColumns: Readonly<Record<TableName, readonly Column[]>> = {
  ...dataColumns,
  conversations: [...dataColumns.conversations, ...loaderColumns],
}

/** The snake_case of an API name, as a type. */
type SnakeCase<Name extends string, Done extends string = ''> = Name extends `${infer Head}${infer Tail}`
  ? SnakeCase<Tail, `${Done}${Head extends Lowercase<Head> ? Head : `_${Lowercase<Head>}`}`>
  : Done

interface ValueTypes<Timestamp> {
  text: string
  timestamptz: Timestamp
  bigint: number | bigint
  integer: number
  'double precision': number
  boolean: boolean
  'text[]': (string | null)[]
  'bigint[]': (number | bigint | null)[]
  jsonb: JsonValue
}

interface PositionTypes {
  _index: number
  _participant_index: number
  _session_index: number
  participant_id: string | null
  session_id: string | null
}

type FieldTypes<Fields, Timestamp> = {
  [Api in keyof Fields & string as Exclude<SnakeCase<Api>, 'conversation_id' | 'conversation_start'>]:
    | (Fields[Api] extends { readonly type: infer Type extends FieldType } ? ValueTypes<Timestamp>[Type] : never)
    | null
}

interface LoaderTypes<Timestamp> {
  _loaded_at: Timestamp
  _source: string
  _run_id: number | bigint | null
  _missing_since: Timestamp | null
}

/** A row of a table of schema `genesys` as an object by column name. */
type TableRow<Table extends TableName, Timestamp = string> = {
  conversation_id: string
  conversation_start: Timestamp
  _extra: JsonObject | null
} & Pick<PositionTypes, (typeof model)[Table]['position'][number]> &
  FieldTypes<(typeof model)[Table]['fields'], Timestamp> &
  (Table extends 'conversations' ? LoaderTypes<Timestamp> : unknown)

/** Kysely's interface of schema `genesys`, by bare table name. `Timestamp`: the driver's type of a timestamptz. */
export type GenesysTables<Timestamp = string> = { [Table in TableName]: TableRow<Table, Timestamp> }

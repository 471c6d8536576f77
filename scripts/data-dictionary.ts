/** Writes docs/data-dictionary.md from the model: npm run docs. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { columnsOf, tables, type TableName } from '../src/model/columns.ts'
import { metricNames } from '../src/model/metric-names.ts'
import { model, type Entity } from '../src/model/model.ts'
import { referenceColumnsOf, referenceEntity, referenceNames, type ReferenceName } from '../src/model/reference.ts'
import { etlDescriptions, liveDescriptions, reportingDescriptions } from '../src/postgres/comments.ts'
import { commentedViews, repeatables, unquoted } from './view-comments.ts'

export const dictionaryFile = path.join(import.meta.dirname, '..', 'docs', 'data-dictionary.md')

/** The data dictionary as Markdown. */
export function dataDictionary(): string {
  return [
    '# Data dictionary',
    '',
    'Generated from `src/model/model.ts`, `src/model/reference.ts`, `src/model/metric-names.ts`, `src/postgres/comments.ts` and the comments in `migrations/`',
    'by `npm run docs`; the same texts are the comments of the tables and columns in Postgres. Times are `timestamptz`, durations milliseconds unless said otherwise. A column without a leading',
    'underscore is a field of the API, and null where the API sent none; one with a leading underscore is ours. Columns marked',
    '“personal” can hold personal data.',
    '',
    '## Schema genesys',
    '',
    ...tables.map((table) => `- [${table}](#genesys${table}): ${cell(model[table].description)}`),
    ...referenceNames.map((name) => `- [dim_${name}](#genesysdim_${name}): ${cell(referenceEntity(name).description)}`),
    '- [Names of metrics](#names-of-metrics): what the rows of session_metrics mean',
    '',
    ...tables.flatMap(genesysTable),
    ...referenceNames.flatMap(referenceSection),
    ...metricTable(),
    ...describedTables('genesys', liveDescriptions),
    '## Schema reporting',
    '',
    'What each number means and how to query it: [analytics.md](analytics.md).',
    '',
    ...describedTables('reporting', reportingDescriptions),
    ...viewSections(),
    ...commentedFunctions(),
    '## Schema etl',
    '',
    ...describedTables('etl', etlDescriptions),
  ].join('\n')
}

function genesysTable(table: TableName): string[] {
  const entity: Entity = model[table]
  const key = table === 'conversations' ? '' : ', `_index`'
  return [
    `### genesys.${table}`,
    '',
    entity.description,
    '',
    `Key: \`conversation_id\`, \`conversation_start\`${key}. ${origin(entity)}`,
    '',
    '| column | type | API field | meaning |',
    '|---|---|---|---|',
    ...columnsOf(table).map(
      ({ name, type, api, description, personal }) =>
        `| \`${name}\` | ${type} | ${api === null ? '' : `\`${api}\``} | ${cell(description)}${personal ? ' (personal)' : ''} |`,
    ),
    '',
  ]
}

function referenceSection(name: ReferenceName): string[] {
  const { description, key, permission, listing, columns } = referenceEntity(name)
  const keys = [...key, ...(name === 'queue_service_levels' ? ['_valid_from'] : [])]
  const source = listing ? `From \`GET ${listing.path}\`` : 'From the answers of the list of queues'
  return [
    `### genesys.dim_${name}`,
    '',
    description,
    '',
    `Key: ${keys.map((column) => `\`${column}\``).join(', ')}. ${source}${permission === null ? '' : `, with \`${permission}\``}.`,
    '',
    '| column | type | API field | meaning |',
    '|---|---|---|---|',
    ...referenceColumnsOf(name).map((column) => {
      const from = columns[column.name]?.from?.[0]?.join('.')
      return `| \`${column.name}\` | ${column.type} | ${from === undefined ? '' : `\`${from}\``} | ${cell(column.description)}${column.personal ? ' (personal)' : ''} |`
    }),
    '',
  ]
}

function metricTable(): string[] {
  return [
    '### Names of metrics',
    '',
    'What `genesys.session_metrics.name` can hold. A name with `t` is a duration in milliseconds, with `n` a count, with `o` an observation.',
    'Genesys counts a value at its `emit_date`, wholly, however long ago it began: figures per day that are to equal those of Genesys are',
    'grouped by `emit_date`, not by `conversation_start`. Values are measured by Genesys and can differ from the lengths of segments by',
    'seconds; only values equal the figures of Genesys. Metrics with the carrier “aggregates” are in no detail record. “Genuine” says that real',
    'records show carrier and time; the others follow published definitions.',
    '',
    '| metric | unit | carrier (participants.purpose) | emitted | figure | meaning | genuine |',
    '|---|---|---|---|---|---|---|',
    ...metricNames.map(
      ({ name, unit, carrier, emitted, figure, meaning, genuine }) =>
        `| \`${name}\` | ${unit} | ${cell(carrier)} | ${cell(emitted)} | ${figure} | ${cell(meaning)} | ${genuine ? 'yes' : ''} |`,
    ),
    '',
  ]
}

function describedTables(schema: string, descriptions: typeof etlDescriptions): string[] {
  return Object.entries(descriptions).flatMap(([table, { description, columns }]) => [
    `### ${schema}.${table}`,
    '',
    description,
    '',
    '| column | meaning |',
    '|---|---|',
    ...Object.entries(columns).map(([name, text]) => `| \`${name}\` | ${cell(text)} |`),
    '',
  ])
}

/** The views of schema reporting, from the comments in their files. */
function viewSections(): string[] {
  return commentedViews().flatMap(({ name, description, columns }) => [
    `### ${name}`,
    '',
    description,
    '',
    '| column | meaning |',
    '|---|---|',
    ...columns.map((column) => `| \`${column.name}\` | ${cell(column.description)} |`),
    '',
  ])
}

/** The functions of schema reporting, from the comments in their files. */
function commentedFunctions(): string[] {
  const functions = repeatables.matchAll(/^comment on function (reporting\.\w+)\(.*\) is\s+'((?:[^']|'')*)';/gm)
  return [
    '### Functions of schema reporting',
    '',
    '| function | meaning |',
    '|---|---|',
    ...[...functions].map(
      ([, name = '', text = '']) => `| \`${name}(${parametersOf(name)})\` | ${cell(unquoted(text))} |`,
    ),
    '',
  ]
}

function parametersOf(name: string): string {
  const declared = new RegExp(String.raw`^create or replace function ${name}\(([^)]*)\)`, 'm').exec(repeatables)
  return (declared?.[1] ?? '').replaceAll(/\s+/g, ' ')
}

function origin({ parent, property, cardinality }: Entity): string {
  if (parent === null) return 'One row per conversation.'
  if (property === null) return `At most one row for each row of \`${parent}\`.`
  return `In the API \`${property}\` of each row of \`${parent}\`${cardinality === 'one' ? ', at most one' : ''}.`
}

function cell(text: string): string {
  return text.replaceAll('|', String.raw`\|`).replaceAll('\n', ' ')
}

if (import.meta.main) {
  writeFileSync(dictionaryFile, dataDictionary())
  console.log(`wrote ${path.relative(process.cwd(), dictionaryFile)}`)
}

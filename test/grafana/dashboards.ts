/** The dashboards of deploy/grafana as Grafana reads them, and what it makes of their queries before it sends them. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { dashboardFolder } from '../../scripts/grafana-dashboards.ts'

interface Target {
  readonly refId: string
  readonly datasource: { readonly type: string; readonly uid: string }
  readonly format?: 'table' | 'time_series'
  readonly rawSql?: string
  readonly expr?: string
  readonly legendFormat?: string
}

interface Override {
  readonly matcher: { readonly id: string; readonly options: string }
  readonly properties: readonly { readonly id: string; readonly value: unknown }[]
}

export interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly datasource: Target['datasource']
  readonly targets: readonly Target[]
  readonly fieldConfig: { readonly defaults: Record<string, unknown>; readonly overrides: readonly Override[] }
}

export interface Variable {
  readonly name: string
  readonly type: string
  readonly query: string
  readonly allValue?: string
  readonly current: { readonly value?: string | readonly string[] }
  readonly multi?: boolean
}

export interface Dashboard {
  readonly uid: string
  readonly title: string
  readonly schemaVersion: number
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly Variable[] }
}

/** The committed dashboards, by the names of their files. */
export const dashboards: ReadonlyMap<string, Dashboard> = new Map(
  readdirSync(dashboardFolder).map((file) => [
    file,
    JSON.parse(readFileSync(path.join(dashboardFolder, file), 'utf8')) as Dashboard,
  ]),
)

/** What a variable is set to; `all`: the choice “All”. */
export type Chosen = Readonly<Record<string, 'all' | readonly string[]>>

export interface TimeRange {
  readonly from: Date
  readonly to: Date
}

/**
 * The SQL that Grafana sends: first the variables in the format `sqlstring`, where “All” is the variable's own expression, then the
 * macros of the Postgres data source.
 */
export function expand(sql: string, variables: readonly Variable[], chosen: Chosen, range: TimeRange): string {
  const interpolated = sql.replaceAll('$__interval', '1h').replaceAll(/\$\{(\w+):sqlstring\}/g, (_, name: string) => {
    const variable = variables.find((each) => each.name === name)
    const values = chosen[name]
    if (!variable || !values) throw new Error(`the variable ${name} is not set`)
    if (values !== 'all') return values.map((value) => `'${value.replaceAll("'", "''")}'`).join(',')
    if (variable.allValue === undefined) throw new Error(`the variable ${name} has no choice “All”`)
    return variable.allValue
  })
  const sent = interpolated.replaceAll(/\$([_a-zA-Z0-9]+)\(([^)]*)\)/g, (_, name: string, text: string) =>
    macro(
      name,
      text.split(',').map((part) => part.trim()),
      range,
    ),
  )
  if (sent.includes('$')) throw new Error(`something is not expanded in ${sent}`)
  return sent
}

function macro(name: string, [first = '', second = '']: readonly string[], { from, to }: TimeRange): string {
  switch (name) {
    case '__timeFrom':
      return `'${from.toISOString()}'`
    case '__timeTo':
      return `'${to.toISOString()}'`
    case '__timeFilter':
      return `${first} BETWEEN '${from.toISOString()}' AND '${to.toISOString()}'`
    case '__timeGroup': {
      if (second !== '1h') throw new Error(`unexpected step ${second}`)
      return `floor(extract(epoch from ${first})/3600)*3600`
    }
    default:
      throw new Error(`the Postgres data source has no macro ${name}`)
  }
}

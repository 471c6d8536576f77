/** The JSON of a dashboard for Grafana 12 (schema version 41) from rows of panels. Pure. */

/** A data source, chosen by a variable of the dashboard, so that it can be imported into any Grafana. */
interface DataSource {
  readonly type: string
  readonly uid: string
}

const WAREHOUSE: DataSource = { type: 'grafana-postgresql-datasource', uid: '${warehouse}' }
const PROMETHEUS: DataSource = { type: 'prometheus', uid: '${prometheus}' }

/** Where a panel has its data from. */
export interface Source {
  readonly datasource: DataSource
  readonly targets: readonly object[]
}

/** A bound from which on a value has the colour; the first has no bound. */
export type Threshold = readonly [color: string, from: number | null]

/** How values are shown; `unit` is one of Grafana's ids of units. */
export interface Format {
  readonly unit?: string
  readonly decimals?: number
  readonly min?: number
  readonly max?: number
  readonly thresholds?: readonly Threshold[]
  /** Texts in place of values. */
  readonly texts?: Readonly<Record<string, string>>
  /** The name of a series, from its labels. */
  readonly displayName?: string
}

/** How a column of a table is shown. */
export interface Column extends Format {
  readonly width?: number
  readonly isHidden?: boolean
  readonly link?: { readonly title: string; readonly url: string }
}

export interface Panel {
  readonly type: string
  readonly title: string
  readonly description: string
  readonly source: Source
  readonly fieldConfig: object
  readonly options: object
  /** The shortest step of `$__interval`. */
  readonly interval?: string
}

/** Panels side by side with their widths, which are 24 in all. */
interface Row {
  readonly height: number
  readonly panels: readonly (readonly [width: number, panel: Panel])[]
}

export interface Dashboard {
  readonly uid: string
  readonly title: string
  readonly description: string
  /** The range of time that is shown at first, e.g. `now-7d`. */
  readonly from: string
  readonly refresh: string
  readonly variables: readonly object[]
  readonly rows: readonly Row[]
}

/** A table of what a query returns. */
export function table(sql: string): Source {
  return { datasource: WAREHOUSE, targets: [sqlTarget(sql, 'table')] }
}

/** Series over time: the column `time` first and ascending, texts are labels, each other column is a series. */
export function series(sql: string): Source {
  return { datasource: WAREHOUSE, targets: [sqlTarget(sql, 'time_series')] }
}

function sqlTarget(sql: string, format: string): object {
  return { refId: 'A', datasource: WAREHOUSE, editorMode: 'code', format, rawQuery: true, rawSql: sql.trim() }
}

/** Series of PromQL expressions, with the names of the series. */
export function promql(...queries: readonly (readonly [expression: string, legend: string])[]): Source {
  return { datasource: PROMETHEUS, targets: queries.map((query, index) => promqlTarget(query, index, false)) }
}

/** The present values of PromQL expressions. */
export function promqlNow(...queries: readonly (readonly [expression: string, legend: string])[]): Source {
  return { datasource: PROMETHEUS, targets: queries.map((query, index) => promqlTarget(query, index, true)) }
}

function promqlTarget([expr, legendFormat]: readonly [string, string], index: number, instant: boolean): object {
  const refId = String.fromCharCode(65 + index)
  return { refId, datasource: PROMETHEUS, editorMode: 'code', expr, legendFormat, instant, range: !instant }
}

interface About {
  readonly title: string
  readonly description: string
  readonly source: Source
}

/** One large value, or one for each series. */
export function stat(about: About, format: Format = {}): Panel {
  const hasTexts = about.source.datasource === WAREHOUSE
  return {
    ...about,
    type: 'stat',
    fieldConfig: { defaults: defaults(format), overrides: [] },
    options: {
      colorMode: format.thresholds ? 'value' : 'none',
      graphMode: 'none',
      justifyMode: 'center',
      textMode: 'auto',
      reduceOptions: { calcs: ['lastNotNull'], fields: hasTexts ? '/.*/' : '', values: false },
    },
  }
}

/** A chart over time. */
export function chart(
  about: About & { readonly interval?: string },
  format: Format & { readonly style?: 'line' | 'bars'; readonly isStacked?: boolean } = {},
): Panel {
  const bars = format.style === 'bars'
  return {
    ...about,
    type: 'timeseries',
    fieldConfig: {
      defaults: {
        ...defaults({ min: 0, ...format }),
        custom: {
          drawStyle: bars ? 'bars' : 'line',
          fillOpacity: bars ? 60 : 10,
          lineWidth: 1,
          showPoints: bars ? 'never' : 'auto',
          // an interval without calls has no service level: the line has a gap there
          spanNulls: false,
          stacking: { group: 'A', mode: format.isStacked ? 'normal' : 'none' },
          thresholdsStyle: { mode: format.thresholds ? 'line' : 'off' },
        },
      },
      overrides: [],
    },
    options: {
      legend: { calcs: [], displayMode: 'list', placement: 'bottom', showLegend: true },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
  }
}

/** A table; its columns by the names that the query gives them. */
export function grid(about: About, columns: Readonly<Record<string, Column>> = {}): Panel {
  return {
    ...about,
    type: 'table',
    fieldConfig: {
      defaults: { custom: { align: 'auto', cellOptions: { type: 'auto' }, filterable: true } },
      overrides: Object.entries(columns).map(([name, column]) => ({
        matcher: { id: 'byName', options: name },
        properties: columnProperties(column),
      })),
    },
    options: { cellHeight: 'sm', showHeader: true, sortBy: [] },
  }
}

function columnProperties(column: Column): object[] {
  const { unit, decimals, thresholds, width, isHidden, link } = column
  return [
    ...(unit === undefined ? [] : [{ id: 'unit', value: unit }]),
    ...(decimals === undefined ? [] : [{ id: 'decimals', value: decimals }]),
    ...(width === undefined ? [] : [{ id: 'custom.width', value: width }]),
    ...(isHidden ? [{ id: 'custom.hidden', value: true }] : []),
    ...(link ? [{ id: 'links', value: [{ ...link, targetBlank: false }] }] : []),
    ...(thresholds
      ? [
          { id: 'thresholds', value: steps(thresholds) },
          { id: 'custom.cellOptions', value: { type: 'color-text' } },
        ]
      : []),
  ]
}

function defaults({ thresholds, texts, displayName, ...format }: Format): object {
  const { unit, decimals, min, max } = format
  return {
    ...(unit !== undefined && { unit }),
    ...(decimals !== undefined && { decimals }),
    ...(min !== undefined && { min }),
    ...(max !== undefined && { max }),
    ...(displayName !== undefined && { displayName }),
    ...(thresholds && { thresholds: steps(thresholds) }),
    mappings: texts ? [{ type: 'value', options: mapping(texts) }] : [],
  }
}

function mapping(texts: Readonly<Record<string, string>>): object {
  return Object.fromEntries(Object.entries(texts).map(([value, text], index) => [value, { index, text }]))
}

function steps(thresholds: readonly Threshold[]): object {
  return { mode: 'absolute', steps: thresholds.map(([color, value]) => ({ color, value })) }
}

/** The document that Grafana reads. Panels are numbered and placed in their order. */
export function dashboardDocument({ uid, title, description, from, refresh, variables, rows }: Dashboard): object {
  return {
    id: null,
    uid,
    title,
    description,
    tags: [DASHBOARD_TAG],
    timezone: 'browser',
    editable: true,
    graphTooltip: 1,
    schemaVersion: 41,
    version: 1,
    refresh,
    time: { from, to: 'now' },
    timepicker: {},
    annotations: { list: [] },
    links: [
      {
        type: 'dashboards',
        title: 'Genesys',
        tags: [DASHBOARD_TAG],
        asDropdown: true,
        includeVars: false,
        keepTime: true,
        targetBlank: false,
      },
    ],
    templating: { list: variables },
    panels: placed(rows),
  }
}

const DASHBOARD_TAG = 'genesys-etl'

function placed(rows: readonly Row[]): object[] {
  let id = 0
  let y = 0
  return rows.flatMap(({ height, panels }) => {
    let x = 0
    const placedRow = panels.map(([width, { source, ...panel }]) => {
      const gridPos = { h: height, w: width, x, y }
      x += width
      return { id: ++id, ...panel, gridPos, ...source }
    })
    y += height
    return placedRow
  })
}

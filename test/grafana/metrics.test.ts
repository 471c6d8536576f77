/** Every expression of the dashboards and of the alerting rules asks for metrics and labels that genesys-etl exports. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { parser } from '@prometheus-io/lezer-promql'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { emptyLoadCounts } from '../../src/loader/load-counts.ts'
import { createMetrics } from '../../src/metrics.ts'
import { connect } from '../../src/postgres/connect.ts'
import { createTestRoutes } from '../http/service.ts'
import { createFileDatabase } from '../support/database.ts'
import { writeBusyCenter } from '../support/busy-center.ts'
import { dashboards } from './dashboards.ts'

const database = await createFileDatabase()
const warehouse = connect(database.url)
afterAll(() => warehouse.close())

/** The labels of each exported metric; Prometheus adds those of the scrape. */
const exported = new Map<string, Set<string>>()
beforeAll(async () => {
  const metrics = createMetrics()
  await writeBusyCenter(warehouse, new Date(), 3)
  await sql`insert into etl.reference_reads (entity, read_at, rows) values ('users', now(), 1)`.execute(warehouse.db)
  const { rows } = await sql<{ id: number }>`select max(id)::int as id from etl.runs`.execute(warehouse.db)
  await sql`insert into etl.reconciled_days (day, filter, run_id, by_user, cells, differences, expected)
    values (current_date - 5, '{}', ${rows[0]?.id}, false, 1, 0, 0)`.execute(warehouse.db)
  metrics.genesysHooks.onRequest?.({ endpoint: 'details-query', statusClass: '2xx', durationMs: 1 })
  metrics.genesysHooks.onRetry?.({ endpoint: 'details-query', reason: 'rate-limited', waitMs: 1 })
  metrics.countLoad(emptyLoadCounts())
  metrics.setAlerts(['history-late'])
  metrics.setRollups({ dirtyHours: 0, oldestSeconds: 0 })
  const answer = await createTestRoutes(warehouse, { metrics }).request('/metrics')
  for (const line of (await answer.text()).split('\n')) {
    const [, name = '', labels = ''] = /^([a-z_\d]+)(?:\{(.*)\})? /.exec(line) ?? []
    const known = exported.get(name) ?? new Set(['job', 'instance'])
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) known.add(label)
    if (name !== '') exported.set(name, known)
  }
  exported.set('up', new Set(['job', 'instance']))
})

interface Rules {
  readonly groups: readonly { readonly rules: readonly { readonly expr: string }[] }[]
}
const rules = parse(
  readFileSync(path.join(import.meta.dirname, '..', '..', 'deploy', 'prometheus', 'rules.yml'), 'utf8'),
) as Rules
const shown = [...dashboards.values()].flatMap(({ panels }) =>
  panels.flatMap(({ title, targets }) =>
    targets.flatMap(({ expr }) => (expr === undefined ? [] : [[title, expr] as const])),
  ),
)
const expressions = [
  ...shown,
  ...rules.groups.flatMap((group) => group.rules.map(({ expr }) => ['rule', expr] as const)),
]

/** The metrics of an expression, and the labels by which it selects or groups. A step has a length here. */
function partsOf(expression: string): { metrics: string[]; labels: string[]; errors: string[] } {
  const text = expression.replaceAll('$__rate_interval', '1m')
  const parts = { metrics: [] as string[], labels: [] as string[], errors: [] as string[] }
  parser.parse(text).iterate({
    enter({ name, type, from, to, node }) {
      const found = text.slice(from, to)
      if (type.isError) parts.errors.push(`at ${from}`)
      else if (name === 'Identifier' && node.parent?.name === 'VectorSelector') parts.metrics.push(found)
      else if (name === 'LabelName') parts.labels.push(found)
    },
  })
  return parts
}

test('the parser finds metrics, labels and errors', () => {
  expect(partsOf('sum by (job) (rate(genesys_etl_a_total{state!="b"}[5m])) / on (instance) c')).toEqual({
    metrics: ['genesys_etl_a_total', 'c'],
    labels: ['job', 'state', 'instance'],
    errors: [],
  })
  expect(partsOf('sum by (job) (a').errors).not.toEqual([])
})

test('there are expressions', () => expect(expressions.length).toBeGreaterThan(30))

test.each(expressions)('%s: %s', async (_, expression) => {
  const { metrics, labels, errors } = partsOf(expression)
  expect(errors).toEqual([])
  expect(metrics.length).toBeGreaterThan(0)
  const known = new Set<string>(['le'])
  for (const metric of metrics) {
    expect([...exported.keys()]).toContain(metric)
    for (const label of exported.get(metric) ?? []) known.add(label)
  }
  for (const label of labels) expect([...known]).toContain(label)
})

test('legends name labels by which the expression groups', () => {
  for (const { panels } of dashboards.values()) {
    for (const { targets } of panels) {
      for (const { expr = '', legendFormat = '' } of targets) {
        for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) expect(partsOf(expr).labels).toContain(label)
      }
    }
  }
})

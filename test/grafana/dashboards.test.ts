import { readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'
import { expect, test } from 'vitest'
import { dashboardFiles } from '../../scripts/grafana-dashboards.ts'
import { dashboards, type Panel } from './dashboards.ts'

const ROOT = path.join(import.meta.dirname, '..', '..')

function readYaml(file: string): unknown {
  return parse(readFileSync(path.join(ROOT, file), 'utf8'))
}

test('the dashboards are current (else: npm run docs)', () => {
  const files = dashboardFiles()
  expect([...dashboards.keys()].sort()).toEqual(Object.keys(files).sort())
  for (const [name, text] of Object.entries(files))
    expect(readFileSync(path.join(ROOT, 'deploy', 'grafana', 'dashboards', name), 'utf8'), name).toBe(text)
})

test('each dashboard has what Grafana needs, and a uid and a title of its own', () => {
  const all = [...dashboards.values()]
  for (const { uid, schemaVersion, panels } of all) {
    expect(uid).toMatch(/^[a-z-]{1,40}$/)
    expect(schemaVersion).toBe(41)
    expect(panels.length).toBeGreaterThan(3)
  }
  expect(new Set(all.map(({ uid }) => uid)).size).toBe(all.length)
  expect(new Set(all.map(({ title }) => title)).size).toBe(all.length)
})

function overlaps({ gridPos: a }: Panel, { gridPos: b }: Panel): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h
}

test.each([...dashboards])('the panels of %s have ids, texts and places of their own', (_, { panels }) => {
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
  expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length)
  for (const panel of panels) {
    const { x, y, w, h } = panel.gridPos
    expect(panel.title).not.toBe('')
    expect(panel.description).toMatch(/\.$/)
    expect(Math.min(x, y)).toBeGreaterThanOrEqual(0)
    expect(Math.min(w, h)).toBeGreaterThan(0)
    expect(x + w).toBeLessThanOrEqual(24)
    expect(panels.filter((other) => other !== panel && overlaps(panel, other)).map(({ title }) => title)).toEqual([])
  }
})

test.each([...dashboards])('%s asks only data sources and variables that it has', (_, { panels, templating }) => {
  const names = new Set(templating.list.map(({ name }) => name))
  expect(names.size).toBe(templating.list.length)
  for (const { datasource, targets } of panels) {
    const source = templating.list.find(({ name }) => `\${${name}}` === datasource.uid)
    expect(source).toMatchObject({ type: 'datasource', query: datasource.type })
    expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length)
    for (const target of targets) expect(target.datasource).toEqual(datasource)
  }
  const used = JSON.stringify([panels, templating.list.map(({ query }) => query)]).matchAll(/\$\{(\w+)(?::\w+)?\}/g)
  for (const [, name = ''] of used) if (!name.startsWith('__')) expect(names).toContain(name)
})

test('links lead to dashboards and variables that exist', () => {
  const urls = [...dashboards.values()].flatMap(({ panels }) =>
    [...JSON.stringify(panels).matchAll(/"url":"([^"]+)"/g)].map(([, url = '']) => url),
  )
  expect(urls.length).toBeGreaterThan(3)
  for (const url of urls) {
    const [, uid = '', query = ''] = /^\/d\/([a-z-]+)\?(.*)$/.exec(url) ?? []
    const target = [...dashboards.values()].find((dashboard) => dashboard.uid === uid)
    expect(target, url).toBeDefined()
    for (const [, name] of query.matchAll(/var-(\w+)=/g))
      expect(
        target?.templating.list.map((variable) => variable.name),
        url,
      ).toContain(name)
  }
})

interface Compose {
  readonly services: Record<string, { readonly volumes?: readonly string[]; readonly profiles?: readonly string[] }>
}

test('docker compose gives Grafana the dashboards at the place that the provisioning names, and the role that reads', () => {
  const { services } = readYaml('docker-compose.yml') as Compose
  const mounts = (services['grafana']?.volumes ?? []).map((volume) => volume.split(':'))
  const { providers } = readYaml('deploy/grafana/provisioning/dashboards/dashboards.yml') as {
    providers: { type: string; options: { path: string } }[]
  }
  expect(providers).toHaveLength(1)
  expect(mounts).toContainEqual(['./deploy/grafana/dashboards', providers[0]?.options.path, 'ro'])
  expect(mounts).toContainEqual(['./deploy/grafana/provisioning', '/etc/grafana/provisioning', 'ro'])
  expect(services['grafana']?.profiles).toEqual(['monitoring'])
  const { datasources } = readYaml('deploy/grafana/provisioning/datasources/datasources.yml') as {
    datasources: { type: string; user?: string }[]
  }
  const needed = [...dashboards.values()].flatMap(({ panels }) => panels.map(({ datasource }) => datasource.type))
  expect(new Set(datasources.map(({ type }) => type))).toEqual(new Set(needed))
  expect(datasources.find(({ type }) => type !== 'prometheus')?.user).toBe('genesys_reader')
})

test('Prometheus keeps the label `job` of the metrics, by which rules and dashboards select', () => {
  const { scrape_configs: jobs } = readYaml('deploy/prometheus/prometheus.yml') as {
    scrape_configs: { job_name: string; honor_labels?: boolean }[]
  }
  expect(jobs).toEqual([expect.objectContaining({ job_name: 'genesys-etl', honor_labels: true })])
})

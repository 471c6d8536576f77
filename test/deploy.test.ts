/** What the deployment files promise: no default passwords, limits, probes, and no setting that the service does not know. */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { environmentSchema } from '../src/environment.ts'

const ROOT = path.join(import.meta.dirname, '..')
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8')
const settings = new Set(Object.keys(environmentSchema.shape))
const isSetting = (name: string): boolean => settings.has(name.replace(/_FILE$/, ''))

describe('docker-compose.yml', () => {
  interface Service {
    readonly environment?: Readonly<Record<string, string>>
    readonly ports?: readonly string[]
    readonly mem_limit?: string
    readonly logging?: { readonly options: Readonly<Record<string, string>> }
  }
  const text = read('docker-compose.yml')
  const { services } = parse(text, { merge: true }) as { services: Record<string, Service> }

  test.each(Object.entries(services))('%s has limits and is published on loopback only', (_name, service) => {
    expect(service.mem_limit).toMatch(/^\d+[mg]$/)
    expect(service.logging?.options).toMatchObject({ 'max-size': expect.any(String) as string })
    for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/)
  })

  test('has no default secret', () => {
    const secrets = [...text.matchAll(/\$\{(\w*(?:PASSWORD|TOKEN|SECRET)\w*)([^}]*)\}/g)]
    expect(secrets.length).toBeGreaterThan(4)
    // that of Grafana, whose profile may be off, is checked by its entrypoint
    expect(secrets.filter(([, name, rest]) => !rest!.startsWith(':?') && name !== 'GRAFANA_PASSWORD')).toEqual([])
  })

  test('gives the service settings that it knows, a DATABASE_URL of .env first, and no superuser', () => {
    const environment = services['genesys-etl']!.environment!
    expect(Object.keys(environment).filter((name) => !isSetting(name))).toEqual(['PGPASSWORD'])
    expect(environment['DATABASE_URL']).toMatch(/^\$\{DATABASE_URL:-postgres:\/\/genesys_loader@/)
  })
})

describe.each(['genesys-etl.yaml', 'migrate-job.yaml', 'sync-cronjob.yaml'])('deploy/kubernetes/%s', (file) => {
  interface Container {
    readonly resources: { readonly requests: object; readonly limits: { readonly memory: string } }
    readonly securityContext: object
    readonly [probe: `${string}Probe`]: { readonly httpGet: { readonly path: string } } | undefined
  }
  interface Pod {
    readonly restartPolicy?: string
    readonly securityContext: object
    readonly containers: readonly Container[]
  }
  const documents = parseAllDocuments(read(`deploy/kubernetes/${file}`)).map(
    (document) => document.toJS() as { kind: string; data?: object; spec?: unknown },
  )
  const spec = documents.find(({ kind }) => ['Deployment', 'Job', 'CronJob'].includes(kind))!.spec as {
    template?: { spec: Pod }
    podFailurePolicy?: unknown
    jobTemplate?: { spec: { template: { spec: Pod }; podFailurePolicy: unknown } }
  }
  const { template, podFailurePolicy } = spec.jobTemplate?.spec ?? spec
  const pod = template!.spec

  test('runs without privileges, within a limit of memory', () => {
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true })
    for (const { resources, securityContext } of pod.containers) {
      expect(resources).toMatchObject({
        requests: expect.any(Object) as object,
        limits: { memory: expect.any(String) as string },
      })
      expect(securityContext).toMatchObject({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true })
    }
  })

  test('is probed if it serves, and does not repeat what needs a human', () => {
    if (pod.restartPolicy === 'Never') {
      const needsHuman = { action: 'FailJob', onExitCodes: expect.objectContaining({ values: [1, 78] }) as object }
      expect(podFailurePolicy).toMatchObject({
        rules: expect.arrayContaining([expect.objectContaining(needsHuman)]) as unknown[],
      })
      return
    }
    const [{ livenessProbe, readinessProbe, startupProbe } = {} as Container] = pod.containers
    expect(livenessProbe?.httpGet.path).toBe('/healthz')
    expect(readinessProbe?.httpGet.path).toBe('/readyz')
    expect(startupProbe?.httpGet.path).toBe('/healthz')
  })

  test('has settings that the service knows', () => {
    const names = documents.filter(({ kind }) => kind === 'ConfigMap').flatMap(({ data }) => Object.keys(data!))
    expect(names.filter((name) => !isSetting(name))).toEqual([])
  })
})

test('the systemd unit names files and settings that exist, and is not restarted where that cannot help', () => {
  const unit = read('deploy/systemd/genesys-etl.service')
  const named = [...unit.matchAll(/(?:file:\/\/)?\/opt\/genesys-etl\/((?:bin|docs)\/[\w./-]+)/g)].map(
    ([, file]) => file!,
  )
  expect(named.length).toBeGreaterThan(1)
  expect(named.filter((file) => !existsSync(path.join(ROOT, file)))).toEqual([])
  const variables = [...unit.matchAll(/^Environment=(\w+)=/gm)].map(([, name]) => name!)
  expect(variables.filter((name) => name !== 'NODE_ENV' && !isSetting(name))).toEqual([])
  expect(unit).toMatch(/^Restart=always$[\s\S]*^RestartPreventExitStatus=78$/m)
})

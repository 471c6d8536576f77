import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { environmentSchema, parseEnvironment } from '../src/config.ts'
import { ConfigError } from '../src/errors.ts'

const good = {
  GENESYS_CLIENT_ID: 'an-id',
  GENESYS_CLIENT_SECRET: 'a-secret',
  DATABASE_URL: 'postgres://user:password@localhost:5432/genesys',
}
const needs = { genesys: true, database: true }

function problemsOf(env: Record<string, string | undefined>): string {
  try {
    parseEnvironment(env, needs)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  return ''
}

describe('the environment', () => {
  it('needs nothing but a client and a database, and has the documented defaults', () => {
    const { config } = parseEnvironment(good, needs)
    expect(config).toMatchObject({
      genesys: {
        apiUrl: 'https://api.mypurecloud.com',
        loginUrl: 'https://login.mypurecloud.com',
        requestsPerMinute: 270,
      },
      history: { cron: '15 2 * * *', intradayCron: '20 * * * *', lookbackDays: 7, start: null, concurrency: 10 },
      live: { cron: '* * * * *', source: 'analytics' },
      cronTimezone: 'UTC',
      http: { host: '127.0.0.1', port: 8080 },
      autoMigrate: true,
      logLevel: 'info',
    })
  })

  it('reports every problem at once, each with its variable and what is allowed', () => {
    const problems = problemsOf({
      GENESYS_CLIENT_ID: 'an-id',
      DATABASE_URL: 'mysql://x',
      GENESYS_REQUESTS_PER_MINUTE: 'many',
      HISTORY_CRON: '61 * * * *',
      HISTORY_START: '2026-02-30',
      HISTORY_MEDIA_TYPES: 'voice,fax',
      HISTORY_DIRECTION: 'sideways',
      LIVE_SOURCE: 'websocket',
      CRON_TIMEZONE: 'Mars/Olympus',
      HTTP_PORT: '70000',
      AUTO_MIGRATE: 'maybe',
      LOG_LEVEL: 'loud',
    })
    expect(
      problems
        .split('\n')
        .slice(1)
        .map((line) => line.trim().split(':')[0]),
    ).toEqual(
      expect.arrayContaining([
        'GENESYS_CLIENT_SECRET',
        'DATABASE_URL',
        'GENESYS_REQUESTS_PER_MINUTE',
        'HISTORY_CRON',
        'HISTORY_START',
        'HISTORY_MEDIA_TYPES',
        'HISTORY_DIRECTION',
        'LIVE_SOURCE',
        'CRON_TIMEZONE',
        'HTTP_PORT',
        'AUTO_MIGRATE',
        'LOG_LEVEL',
      ]),
    )
    expect(problems).toContain('must be inbound or outbound')
    expect(problems).toContain('from 1 to 3000')
  })

  it('names both ways out when there is no database', () => {
    expect(problemsOf({ ...good, DATABASE_URL: undefined })).toMatch(/DATABASE_URL.*postgres:\/\/.*embedded/s)
  })

  it('refuses to serve beyond loopback without a token', () => {
    const open = { ...good, HTTP_HOST: '0.0.0.0' }
    expect(() => parseEnvironment(open, { ...needs, http: true })).toThrow('HTTP_TOKEN')
    expect(() => parseEnvironment(open, needs)).not.toThrow()
    expect(() =>
      parseEnvironment({ ...open, HTTP_TOKEN: 'a-token-of-16-characters' }, { ...needs, http: true }),
    ).not.toThrow()
    expect(() => parseEnvironment({ ...good, HTTP_HOST: '::1' }, { ...needs, http: true })).not.toThrow()
  })

  it('needs a secret to sign webhooks, and understands their events', () => {
    expect(problemsOf({ ...good, WEBHOOK_URL: 'https://example.com/hook' })).toContain('WEBHOOK_SECRET')
    expect(problemsOf({ ...good, WEBHOOK_EVENTS: 'waiting>120s,dancing' })).toContain('WEBHOOK_EVENTS')
    const hook = { WEBHOOK_URL: 'https://example.com/hook', WEBHOOK_SECRET: 'a-secret' }
    expect(
      parseEnvironment({ ...good, ...hook, WEBHOOK_EVENTS: 'acw, waiting>120s,ended' }).config.webhook?.events,
    ).toEqual([{ on: 'entered', state: 'acw' }, { on: 'exceeded', state: 'waiting', seconds: 120 }, { on: 'ended' }])
  })

  it('counts an empty variable as absent', () => {
    expect(parseEnvironment({ ...good, HISTORY_START: '', HTTP_PORT: ' ' }, needs).config.http.port).toBe(8080)
  })

  it('reads secrets from files, and says which file it could not read', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'secrets-'))
    writeFileSync(path.join(folder, 'secret'), 'from-a-file\n')
    const env = { ...good, GENESYS_CLIENT_SECRET: undefined, GENESYS_CLIENT_SECRET_FILE: path.join(folder, 'secret') }
    expect(parseEnvironment(env, needs).secrets.credentials).toEqual({ clientId: 'an-id', clientSecret: 'from-a-file' })
    expect(problemsOf({ ...env, GENESYS_CLIENT_SECRET_FILE: path.join(folder, 'absent') })).toContain(
      'GENESYS_CLIENT_SECRET_FILE',
    )
    expect(problemsOf({ ...env, GENESYS_CLIENT_SECRET: 'both' })).toContain('not both')
  })

  it('keeps secrets out of the settings and out of its errors', () => {
    const env = {
      ...good,
      GENESYS_CLIENT_SECRET: 'hunter2hunter2',
      HTTP_PORT: 'x',
      DATABASE_URL: 'postgresx://u:hunter2hunter2@h/d',
    }
    expect(problemsOf(env)).not.toContain('hunter2')
    expect(
      JSON.stringify(parseEnvironment({ ...good, GENESYS_CLIENT_SECRET: 'hunter2hunter2' }, needs).config),
    ).not.toContain('hunter2')
  })

  it('accepts a region by its AWS name as well as by its domain', () => {
    expect(parseEnvironment({ ...good, GENESYS_ENVIRONMENT: 'eu-west-1' }).config.genesys.apiUrl).toBe(
      'https://api.mypurecloud.ie',
    )
    expect(parseEnvironment({ ...good, GENESYS_ENVIRONMENT: 'usw2.pure.cloud' }).config.genesys.loginUrl).toBe(
      'https://login.usw2.pure.cloud',
    )
  })

  it('never throws anything but a ConfigError', () => {
    const names = Object.keys(environmentSchema.shape).filter((name) => !name.endsWith('_FILE'))
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names), fc.string()), (env) => {
        try {
          parseEnvironment(env, needs)
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError)
        }
      }),
    )
  })
})

describe('.env.example', () => {
  const lines = readFileSync(path.join(import.meta.dirname, '../.env.example'), 'utf8').split('\n')
  const assignments = lines.flatMap((line) => /^(?:# )?([A-Z][A-Z_]+)=(.*)$/.exec(line)?.slice(1, 3) ?? [])
  const documented = new Map(
    assignments.flatMap((name, index) => (index % 2 === 0 ? [[name, assignments[index + 1] ?? '']] : [])),
  )

  it('lists exactly the variables of the schema', () => {
    expect([...documented.keys()].sort()).toEqual(Object.keys(environmentSchema.shape).sort())
  })

  it('shows values that the schema accepts', () => {
    const env = Object.fromEntries([...documented].filter(([name]) => !name.endsWith('_FILE')))
    expect(() => parseEnvironment({ ...env, ...good }, needs)).not.toThrow()
  })

  it('shows the defaults of the schema, except where it shows an example', () => {
    const examples = ['HISTORY_MEDIA_TYPES', 'HISTORY_DIRECTION']
    const shown = Object.fromEntries(
      [...documented].filter(([name, value]) => value !== '' && !examples.includes(name)),
    )
    expect(parseEnvironment({ ...good, ...shown }).config).toEqual(parseEnvironment(good).config)
  })
})

describe('the media types of the history', () => {
  it('are the same in any order and however often one is named, for they are part of the ledger’s key', () => {
    const filterOf = (list: string) => parseEnvironment({ ...good, HISTORY_MEDIA_TYPES: list }).config.history.filter
    expect(filterOf('voice, chat,voice')).toEqual(filterOf('chat,voice'))
  })
})

describe('problems are told once, with what is allowed', () => {
  it.each([
    [{ GENESYS_ENVIRONMENT: 'nowhere' }, ['mypurecloud.ie', 'us-east-1']],
    [{ GENESYS_API_URL: 'foo' }, ['https://api.mypurecloud.com']],
    [{ WEBHOOK_EVENTS: 'waiting,hodl>5s' }, ['"hodl>5s" must', 'scheduled', 'ended']],
    [{ WEBHOOK_EVENTS: 'constructor' }, ['"constructor" must', 'waiting>120s']],
    [{ WEBHOOK_EVENTS: 'ended>5s' }, ['"ended>5s" must']],
    [{ WEBHOOK_EVENTS: 'waiting>120' }, ['"waiting>120" must']],
    [{ DATABASE_URL: 'postgres://u@h/d?sslmode=bogus' }, ['verify-full', 'no-verify']],
  ])('%j', (env, allowed) => {
    const told = problemsOf({ ...good, ...env })
    expect(told).toContain('has a problem:')
    for (const word of allowed) expect(told).toContain(word)
    expect(told).toContain(`  ${Object.keys(env)[0]}`)
  })
})

import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseEnvironment } from '../src/config.ts'
import { environmentSchema } from '../src/environment.ts'
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
      history: {
        cron: '15 2 * * *',
        intradayCron: '20 * * * *',
        lookbackDays: 7,
        start: null,
        concurrency: 10,
        jobPageSize: 1000,
        deepCron: '30 3 * * 0',
        deepLookbackDays: 30,
      },
      live: { cron: '* * * * *', source: 'analytics' },
      cronTimezone: 'UTC',
      http: { host: '127.0.0.1', port: 8080, showPersonal: false },
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

  it('keeps personal data of all months, or of a whole number of them', () => {
    const monthsOf = (PII_RETENTION_MONTHS?: string) =>
      parseEnvironment({ ...good, PII_RETENTION_MONTHS }, needs).config.personalData.retentionMonths
    expect([monthsOf(), monthsOf('off'), monthsOf('1'), monthsOf('240')]).toEqual([null, null, 1, 240])
    for (const wrong of ['0', '-1', '1.5', 'never', '241'])
      expect(problemsOf({ ...good, PII_RETENTION_MONTHS: wrong })).toContain(
        'must be off or a whole number from 1 to 240',
      )
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

describe('problems are reported once, with what is allowed', () => {
  it.each([
    [{ GENESYS_ENVIRONMENT: 'nowhere' }, ['mypurecloud.ie', 'us-east-1']],
    [{ GENESYS_API_URL: 'foo' }, ['https://api.mypurecloud.com']],
    [{ WEBHOOK_EVENTS: 'waiting,hodl>5s' }, ['"hodl>5s" must', 'scheduled', 'ended']],
    [{ WEBHOOK_EVENTS: 'constructor' }, ['"constructor" must', 'waiting>120s']],
    [{ WEBHOOK_EVENTS: 'ended>5s' }, ['"ended>5s" must']],
    [{ WEBHOOK_EVENTS: 'waiting>120' }, ['"waiting>120" must']],
    [{ DATABASE_URL: 'postgres://u@h/d?sslmode=bogus' }, ['verify-full', 'no-verify']],
  ])('%j', (env, allowed) => {
    const reported = problemsOf({ ...good, ...env })
    expect(reported).toContain('has a problem:')
    for (const word of allowed) expect(reported).toContain(word)
    expect(reported).toContain(`  ${Object.keys(env)[0]}`)
  })
})

describe('secrets in files', () => {
  const inFile = (text: string): string => {
    const file = path.join(mkdtempSync(path.join(tmpdir(), 'secrets-')), 'secret')
    writeFileSync(file, text)
    return file
  }

  it('are checked like variables', () => {
    const { DATABASE_URL: _, ...rest } = good
    expect(problemsOf({ ...rest, DATABASE_URL_FILE: inFile('mysql://hunter2@x') })).toMatch(
      /DATABASE_URL: must be postgres/,
    )
    expect(problemsOf({ ...rest, DATABASE_URL_FILE: inFile('mysql://hunter2@x') })).not.toContain('hunter2')
    expect(problemsOf({ ...good, HTTP_TOKEN_FILE: inFile('short') })).toContain('at least 16')
    expect(problemsOf({ ...rest, DATABASE_URL_FILE: inFile(' \n') })).toContain('DATABASE_URL_FILE: the file is empty')
  })

  it('may begin with a byte order mark', () => {
    const { DATABASE_URL, ...rest } = good
    const env = { ...rest, DATABASE_URL_FILE: inFile(`\uFEFF${DATABASE_URL}\n`) }
    expect(parseEnvironment(env, needs).secrets.databaseUrl).toBe(DATABASE_URL)
  })
})

describe('values that cannot be right', () => {
  const now = new Date('2026-06-10T12:00:00Z')

  it('a history that starts in the future is refused, and one that starts today is not', () => {
    const start = (HISTORY_START: string) => () => parseEnvironment({ ...good, HISTORY_START }, needs, now)
    expect(start('2026-06-12')).toThrow('HISTORY_START: lies in the future')
    expect(start('2026-06-10')).not.toThrow()
  })

  it.each([
    ['GENESYS_API_URL', 'http://genesys.example.com'],
    ['GENESYS_LOGIN_URL', 'http://10.0.0.7:8090'],
    ['WEBHOOK_URL', 'http://receiver.internal/hook'],
    ['ALERT_WEBHOOK_URL', 'http://chat.example.com/alerts'],
  ])('%s over plain http to another host is refused, unless that is allowed', (name, url) => {
    const env = { ...good, WEBHOOK_SECRET: 'c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0', [name]: url }
    expect(problemsOf(env)).toContain(`${name}: plain http://`)
    expect(problemsOf({ ...env, ALLOW_INSECURE_HTTP: 'true' })).toBe('')
    for (const host of ['localhost:8090', '127.0.0.1', '[::1]:8090']) {
      expect(problemsOf({ ...env, [name]: `http://${host}/` })).toBe('')
    }
    expect(problemsOf({ ...env, [name]: url.replace('http:', 'https:') })).toBe('')
  })

  const warningsOf = (env: Record<string, string>) => parseEnvironment({ ...good, ...env }, needs, now).warnings

  it('more requests than the API allows are reported, but not for another server', () => {
    expect(warningsOf({ GENESYS_REQUESTS_PER_MINUTE: '300' })).toEqual([])
    expect(warningsOf({ GENESYS_REQUESTS_PER_MINUTE: '301' })).toEqual([
      expect.stringMatching(/301 is more than the 300/),
    ])
    expect(warningsOf({ GENESYS_REQUESTS_PER_MINUTE: '301', GENESYS_API_URL: 'http://127.0.0.1:8090' })).toEqual([])
  })

  it('a retention that is shorter than what is read again is reported', () => {
    const monthsOf = (text: string) =>
      parseEnvironment({ ...good, HISTORY_RETENTION_MONTHS: text }, needs, now).config.history.retentionMonths
    expect(['off', '2', '240'].map(monthsOf)).toEqual([null, 2, 240])
    for (const text of ['0', '241', '1.5', 'two']) expect(() => monthsOf(text)).toThrow('a whole number from 1 to 240')
    expect(warningsOf({ HISTORY_RETENTION_MONTHS: '2' })).toEqual([])
    const [warning = ''] = warningsOf({ HISTORY_RETENTION_MONTHS: '1' })
    expect(warning).toContain('only 28 days')
    expect(warning).toContain('HISTORY_DEEP_LOOKBACK_DAYS (30 days), threads of e-mail and messages (40 days)')
    expect(warning).not.toContain('HISTORY_LOOKBACK_DAYS (')
    expect(warningsOf({ HISTORY_RETENTION_MONTHS: '2', HISTORY_LOOKBACK_DAYS: '60' })).toHaveLength(1)
  })

  it('an unknown region is reported with the nearest one', () => {
    expect(warningsOf({ GENESYS_ENVIRONMENT: 'mypurecloud.co' })).toEqual([
      expect.stringMatching(/GENESYS_ENVIRONMENT.*did you mean mypurecloud\.com\?/),
    ])
    expect(warningsOf({ GENESYS_ENVIRONMENT: 'new.example.org' })).toEqual([
      expect.not.stringContaining('did you mean'),
    ])
    for (const known of ['eu-central-1', 'mypurecloud.de', 'apps.mypurecloud.de', 'MyPureCloud.ie'])
      expect(warningsOf({ GENESYS_ENVIRONMENT: known })).toEqual([])
  })

  it('webhooks without live data are reported', () => {
    const env = { WEBHOOK_URL: 'https://example.com/hook', WEBHOOK_SECRET: 'c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0' }
    expect(warningsOf({ ...env, LIVE_SOURCE: 'off' })).toEqual([expect.stringContaining('LIVE_SOURCE is off')])
    expect(warningsOf(env)).toEqual([])
  })

  it.each([
    ['HISTORY_STRAT', 'HISTORY_START'],
    ['history_start', 'HISTORY_START'],
    ['GENESYS_CLIENTID', 'GENESYS_CLIENT_ID'],
    ['GENESYS_REQUEST_PER_MINUTE', 'GENESYS_REQUESTS_PER_MINUTE'],
    ['DATABSE_URL', 'DATABASE_URL'],
    ['HTTP_TOKENS', 'HTTP_TOKEN'],
    ['WEBHOOK_EVENT', 'WEBHOOK_EVENTS'],
    ['LIVE_RETENTION_HOUR', 'LIVE_RETENTION_HOURS'],
  ])('the unknown variable %s is reported with the nearest name', (name, nearest) => {
    expect(warningsOf({ [name]: '1' })).toEqual([`${name}: is not a variable of genesys-etl; did you mean ${nearest}?`])
  })

  it('an unknown variable is also named beside the problem that it causes', () => {
    const { DATABASE_URL, ...rest } = good
    expect(problemsOf({ ...rest, DATABSE_URL: DATABASE_URL })).toMatch(
      /DATABASE_URL: is needed.*did you mean DATABASE_URL\?/s,
    )
  })

  it('variables of others are not reported', () => {
    const others = {
      PATH: '/bin', HOME: '/root', PWD: '/root', OLDPWD: '/', PID: '1', PS1: '$', API: 'x', HTTP_PROXY: 'http://proxy:3128', HTTPS_PROXY: 'x', NO_PROXY: 'x', NODE_OPTIONS: '', LOGLEVEL: 'x',
      PGHOST: 'x', POSTGRES_PASSWORD: 'x', READER_PASSWORD: 'x', GRAFANA_PASSWORD: 'x', HISTSIZE: '1', HISTFILE: 'x', TZ: 'UTC',
      GENESYS_ETL_SERVICE_HOST: 'x', GENESYS_ETL_PORT: 'tcp://x', GENESYS_ETL_PORT_8080_TCP_ADDR: 'x', NODE_COMPILE_CACHE: 'x',
    } // prettier-ignore
    expect(warningsOf(others)).toEqual([])
  })
})

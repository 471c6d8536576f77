import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/embedded-postgres/server.ts'
import { unprivilegedAccount } from '../../src/embedded-postgres/unprivileged-user.ts'
import { connect } from '../../src/postgres/connect.ts'
import { describeUrlProblem, parseConnectionUrl } from '../../src/postgres/connection-url.ts'
import { toEtlError } from '../../src/postgres/errors.ts'

const folder = mkdtempSync(path.join(os.tmpdir(), 'tls-test-'))
const file = (name: string) => path.join(folder, name)
let encrypted: EmbeddedPostgres
let plain: EmbeddedPostgres

/** An authority of our own, and a certificate of it for localhost, but not for 127.0.0.1. */
function makeCertificates(): void {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  const newKey = ['-newkey', 'rsa:2048', '-nodes', '-days', '2']
  openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=test authority')
  openssl('req', '-x509', ...newKey, '-keyout', 'other.key', '-out', 'other.pem', '-subj', '/CN=another authority')
  openssl('req', ...newKey.slice(0, 3), '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=localhost')
  writeFileSync(file('names'), 'subjectAltName=DNS:localhost')
  const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'names']
  openssl('x509', '-req', '-in', 'server.csr', '-out', 'server.pem', ...signed)
}

beforeAll(async () => {
  makeCertificates()
  writeFileSync(
    file('hba'),
    'host all postgres 127.0.0.1/32 scram-sha-256\nhostssl all careful 127.0.0.1/32 scram-sha-256\nhostnossl all trusting 127.0.0.1/32 scram-sha-256\n',
  )
  const account = unprivilegedAccount()
  chmodSync(folder, 0o755)
  chmodSync(file('server.key'), 0o600)
  if (account) chownSync(file('server.key'), account.uid, account.gid)
  encrypted = await startEmbeddedPostgres({
    persistent: false,
    settings: {
      ssl: 'on',
      ssl_cert_file: file('server.pem'),
      ssl_key_file: file('server.key'),
      hba_file: file('hba'),
    },
  })
  plain = await startEmbeddedPostgres({ persistent: false })
  await using warehouse = connect(encrypted.url)
  await warehouse.pool.query(`create role careful login password 'p@ss/word#1%'`)
  await warehouse.pool.query(`create role trusting login password 'plain'`)
})
afterAll(async () => {
  await encrypted.stop()
  await plain.stop()
  rmSync(folder, { recursive: true, force: true })
})

function urlOf(server: EmbeddedPostgres, parameters: Record<string, string>, host = '127.0.0.1'): string {
  const url = new URL(server.url)
  url.hostname = host
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  return url.href
}

/** Whether the connection is encrypted; the code of the error where there is none. */
async function connectionOf(databaseUrl: string): Promise<boolean | string> {
  try {
    await using warehouse = connect(databaseUrl)
    const { rows } = await warehouse.pool.query<{ ssl: boolean }>(
      'select ssl from pg_stat_ssl where pid = pg_backend_pid()',
    )
    return rows[0]!.ssl
  } catch (error) {
    const { code, hint } = toEtlError(error, 'connecting') as { code: string; hint?: string }
    return hint === undefined ? code : `${code}: ${hint}`
  }
}

test.each([
  ['disable', false, false],
  ['allow', true, false],
  ['prefer', true, false],
  ['require', true, 'DATABASE_TLS'],
  ['no-verify', true, 'DATABASE_TLS'],
])('sslmode=%s verifies nothing', async (sslmode, atEncrypted, atPlain) => {
  expect(await connectionOf(urlOf(encrypted, { sslmode }))).toBe(atEncrypted)
  const found = await connectionOf(urlOf(plain, { sslmode }))
  if (typeof atPlain === 'string') expect(found).toContain(atPlain)
  else expect(found).toBe(atPlain)
})

test('sslmode=verify-ca verifies the authority, but not the host name', async () => {
  const sslmode = 'verify-ca'
  expect(await connectionOf(urlOf(encrypted, { sslmode, sslrootcert: file('ca.pem') }))).toBe(true)
  expect(await connectionOf(urlOf(encrypted, { sslmode, sslrootcert: file('other.pem') }))).toContain('DATABASE_TLS')
  expect(await connectionOf(urlOf(encrypted, { sslmode }))).toMatch(/DATABASE_TLS: .*sslrootcert/)
  // as in libpq, a root certificate makes the same of require
  expect(await connectionOf(urlOf(encrypted, { sslmode: 'require', sslrootcert: file('other.pem') }))).toContain(
    'DATABASE_TLS',
  )
})

test('sslmode=verify-full verifies the host name, too', async () => {
  const parameters = { sslmode: 'verify-full', sslrootcert: file('ca.pem') }
  expect(await connectionOf(urlOf(encrypted, parameters, 'localhost'))).toBe(true)
  expect(await connectionOf(urlOf(encrypted, parameters))).toMatch(/DATABASE_TLS: .*another host name/)
  expect(await connectionOf(urlOf(encrypted, { sslrootcert: 'system' }, 'localhost'))).toMatch(/DATABASE_TLS/)
})

test('a login that the server accepts on encrypted connections only is explained', async () => {
  const url = new URL(urlOf(encrypted, { sslmode: 'disable' }))
  url.username = 'careful'
  url.password = encodeURIComponent('p@ss/word#1%')
  expect(await connectionOf(url.href)).toMatch(/DATABASE_TLS: .*sslmode=require/)
  url.searchParams.set('sslmode', 'require')
  expect(await connectionOf(url.href)).toBe(true)
  url.password = ''
  expect(await connectionOf(url.href)).toMatch(/DATABASE_LOGIN: .*DATABASE_URL has none/)
})

test('a login that the server accepts on unencrypted connections only is explained', async () => {
  const url = new URL(urlOf(encrypted, { sslmode: 'prefer' }))
  url.username = 'trusting'
  url.password = 'plain'
  expect(await connectionOf(url.href)).toMatch(/DATABASE_LOGIN: .*sslmode=disable/)
  url.searchParams.set('sslmode', 'disable')
  expect(await connectionOf(url.href)).toBe(false)
})

test('without sslmode, encrypts what leaves the machine if the server can', () => {
  const prefersTls = (url: string, env = {}) => parseConnectionUrl(url, env).prefersTls
  expect(prefersTls('postgres://u:p@db.example.com/dwh')).toBe(true)
  expect(prefersTls('postgres://u:p@127.0.0.1/dwh')).toBe(false)
  expect(prefersTls('postgres://u:p@localhost/dwh')).toBe(false)
  expect(prefersTls('postgres://u:p@[::1]/dwh')).toBe(false)
  expect(prefersTls('postgres://u:p@/dwh?host=/run/postgresql')).toBe(false)
  expect(parseConnectionUrl('postgres://u:p@db.example.com/dwh', { PGSSLMODE: 'disable' }).ssl).toBe(false)
})

test("takes libpq's spellings of host and database", async () => {
  const { port, password } = new URL(plain.url)
  for (const url of [
    `postgres:///genesys_etl?host=127.0.0.1&port=${port}&user=postgres&password=${password}`,
    `postgres://postgres:${password}@/genesys_etl?host=127.0.0.1&port=${port}`,
    `postgresql://postgres:${password}@127.0.0.1:${port}?dbname=genesys_etl`,
  ]) {
    expect(await connectionOf(url)).toBe(false)
  }
})

test.each(['sslrootcert', 'sslcert', 'sslkey'])('a file of %s that is missing is named', (name) => {
  expect(() => connect(`postgres://u:p@h/d?sslmode=verify-full&${name}=/no/such.pem`)).toThrow(
    `${name}=/no/such.pem can't be read (ENOENT)`,
  )
})

test.each([
  ['postgres://u:pa/ss@host/db', /percent-encoded/],
  ['postgres://u:pa#ss@host/db', /percent-encoded/],
  ['postgres://u:pa?ss@host/db', /percent-encoded/],
  ['postgres://u:12/34@host/db', /percent-encoded/],
  ['postgres://u:p%zz@host/db', /percent-encoded as %25/],
  ['postgres://u:p@one,two/db', /several hosts/],
  ['postgres://u:p@one:5432,two:5432/db', /several hosts/],
  ['postgres://u:p@host/db?sslmode=verified', /sslmode other than disable, allow/],
  ['postgres://u:p@host/db?sslmode=require&sslrootcert=system', /verify-full/],
  ['host=localhost dbname=db', /postgres:\/\/user/],
  ['mysql://u:p@host/db', /postgres:\/\/user/],
  ['postgres://u:p@host:port/db', /must look like/],
])('%s is explained without the password', (url, problem) => {
  expect(describeUrlProblem(url)).toMatch(problem)
  expect(() => connect(url)).toThrow('DATABASE_URL: ')
})

test.each([
  'postgres://u:p@ss@host/db',
  'postgres://u:p%40ss@host:5432/db',
  'postgres://u@host/db?application_name=me@work',
  'postgres://u:p@[::1]:5432/db',
  'postgres://host',
  'postgresql://u:p,q@host/db',
])('%s is understood', (url) => {
  expect(describeUrlProblem(url)).toBeNull()
})

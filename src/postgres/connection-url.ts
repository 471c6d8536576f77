/** What DATABASE_URL says, read as libpq reads it (https://www.postgresql.org/docs/current/libpq-connect.html). */
import { readFileSync } from 'node:fs'
import tls, { type ConnectionOptions } from 'node:tls'
import { type ClientConfig } from 'pg'
import { ConfigError } from '../errors.ts'

/** libpq's, and `no-verify`, node-postgres' name of `require`. */
const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify'] as const
type SslMode = (typeof SSL_MODES)[number]

const FILES = ['sslrootcert', 'sslcert', 'sslkey'] as const
/** Parameters that are settled here, so that node-postgres does not read them in its own way. */
const SETTLED = [...FILES, 'ssl', 'sslmode', 'uselibpqcompat', 'dbname'] as const

/**
 * What is wrong with the text of DATABASE_URL, as half a sentence that follows "DATABASE_URL: "; null: nothing that can be seen
 * without connecting. Holds no part of the URL, which has a password.
 */
export function describeUrlProblem(databaseUrl: string): string | null {
  if (!/^postgres(ql)?:\/\//.test(databaseUrl))
    return 'must be postgres://user:password@host:5432/database, or the word embedded'
  const authority = databaseUrl.replace(/^\w+:\/\//, '')
  const end = authority.search(/[/?#]/)
  // what follows the host has no @ save in a parameter, so the password must have ended the host early
  if (end >= 0 && /^[^?]*@/.test(authority.slice(end + (authority[end] === '?' ? 1 : 0)))) {
    return 'has a user name or password with a character that must be percent-encoded (/ as %2F, # as %23, ? as %3F, @ as %40)'
  }
  if (authority.includes('#')) return 'has a # that must be percent-encoded as %23'
  if (/^[^/?]*@?[^/?@]*,/.test(authority.replace(/^[^/?]*@/, ''))) return 'names several hosts; only one is supported'
  const url = parseUrl(databaseUrl)
  if (!url) return 'must look like postgres://user:password@host:5432/database, or be the word embedded'
  if (!isDecodable(url.username) || !isDecodable(url.password)) {
    return 'has a % in the user name or password that must be percent-encoded as %25'
  }
  const mode = url.searchParams.get('sslmode')
  if (mode !== null && !isSslMode(mode)) return `has an sslmode other than ${SSL_MODES.join(', ')}`
  if (url.searchParams.get('sslrootcert') === 'system' && mode !== null && mode !== 'verify-full') {
    return 'has sslrootcert=system, which requires sslmode=verify-full'
  }
  return null
}

/**
 * The settings of node-postgres for DATABASE_URL. Without an sslmode, encrypts if the server offers it (libpq's `prefer`) unless it
 * is on this machine.
 * @throws ConfigError that names what is wrong, or the file that can't be read
 */
export function parseConnectionUrl(
  databaseUrl: string,
  env: NodeJS.ProcessEnv = process.env,
): ClientConfig & { readonly prefersTls: boolean } {
  const problem = describeUrlProblem(databaseUrl)
  if (problem !== null) throw new ConfigError(`DATABASE_URL: ${problem}`)
  const url = parseUrl(databaseUrl)!
  const parameters = new URLSearchParams(url.searchParams)
  const host = parameters.get('host') ?? url.hostname
  if (parameters.has('dbname')) url.pathname = `/${encodeURIComponent(parameters.get('dbname')!)}`
  for (const name of SETTLED) url.searchParams.delete(name)
  const mode = sslMode(parameters, env, host)
  return {
    connectionString: url.href,
    ssl: mode === 'disable' ? false : tlsOptions(mode, parameters),
    prefersTls: mode === 'prefer' || mode === 'allow',
  }
}

/** URL refuses `user@/database?host=…`, which libpq takes. */
function parseUrl(databaseUrl: string): URL | null {
  const filled = databaseUrl.replace(/^(\w+:\/\/[^/?#]*@)(?=[/?])/, '$1localhost')
  return URL.canParse(filled) ? new URL(filled) : null
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

function isSslMode(mode: string): mode is SslMode {
  return SSL_MODES.some((known) => known === mode)
}

function sslMode(parameters: URLSearchParams, env: NodeJS.ProcessEnv, host: string): SslMode {
  const given = parameters.get('sslmode') ?? env['PGSSLMODE']
  if (given !== undefined && isSslMode(given)) return given
  if (parameters.get('sslrootcert') === 'system') return 'verify-full'
  const isLocal = host === '' || host.startsWith('/') || /^(localhost|127\.[\d.]+|\[?::1\]?)$/.test(host)
  return isLocal ? 'disable' : 'prefer'
}

function tlsOptions(mode: SslMode, parameters: URLSearchParams): ConnectionOptions {
  const [rootCertificate, certificate, key] = FILES.map((name) => readParameterFile(parameters, name))
  const files = {
    ...(rootCertificate !== undefined && { ca: rootCertificate }),
    ...(certificate !== undefined && { cert: certificate }),
    ...(key !== undefined && { key }),
  }
  // libpq: a root certificate turns require into verify-ca
  const verifiesChain =
    mode === 'verify-ca' || mode === 'verify-full' || (mode === 'require' && rootCertificate !== undefined)
  if (!verifiesChain) return { ...files, rejectUnauthorized: false }
  return { ...files, ...(mode !== 'verify-full' && { checkServerIdentity: () => undefined }) }
}

/** @throws ConfigError that names the parameter and the file */
function readParameterFile(parameters: URLSearchParams, name: (typeof FILES)[number]): string | undefined {
  const file = parameters.get(name)
  if (file === null) return undefined
  if (name === 'sslrootcert' && file === 'system') {
    return [...tls.getCACertificates('system'), ...tls.getCACertificates('default')].join('\n')
  }
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new ConfigError(
      `DATABASE_URL: ${name}=${file} can't be read (${(error as NodeJS.ErrnoException).code})`,
      'Name a PEM file that the user of this process can read.',
    )
  }
}

import { expect, test } from 'vitest'
import { EtlError } from '../../src/errors.ts'
import { classify, toEtlError } from '../../src/postgres/errors.ts'

const failure = (code: string, message = 'made up') => Object.assign(new Error(message), { code })

test.each(
  '08006 25006 25P03 25P04 40001 40P01 53100 53200 53300 55P03 57014 57P01 57P02 57P03 57P05 58030 ECONNRESET EAI_AGAIN ETIMEDOUT'.split(
    ' ',
  ),
)('%s may pass by itself', (code) => {
  expect(classify(failure(code))).toBe('transient')
  expect(toEtlError(failure(code), 'working')).toMatchObject({ kind: 'retryable' })
})

test.each('23505 42501 42703 42P01 57P04 28P01 3D000 ENOTFOUND 25001'.split(' '))('%s needs a human', (code) => {
  expect(classify(failure(code))).toBe('other')
  expect((toEtlError(failure(code), 'working') as EtlError).kind).not.toBe('retryable')
})

test.each([
  [
    failure('28000', 'no pg_hba.conf entry for host "10.0.0.5", user "etl", database "dwh", no encryption'),
    'DATABASE_TLS',
    /sslmode=require/,
  ],
  [
    failure('28000', 'pg_hba.conf rejects connection for host "10.0.0.5", user "etl", database "dwh", no encryption'),
    'DATABASE_TLS',
    /sslmode=require/,
  ],
  [
    failure('28000', 'no pg_hba.conf entry for host "10.0.0.5", user "etl", database "dwh", SSL encryption'),
    'DATABASE_LOGIN',
    /pg_hba\.conf/,
  ],
  [failure('28P01', 'password authentication failed'), 'DATABASE_LOGIN', /password/],
  [
    new Error('SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string'),
    'DATABASE_LOGIN',
    /DATABASE_URL has none/,
  ],
  [
    failure('ERR_TLS_CERT_ALTNAME_INVALID', "Hostname/IP does not match certificate's altnames: …"),
    'DATABASE_TLS',
    /another host name/,
  ],
  [failure('CERT_HAS_EXPIRED', 'certificate has expired'), 'DATABASE_TLS', /Renew/],
  [failure('SELF_SIGNED_CERT_IN_CHAIN'), 'DATABASE_TLS', /sslrootcert/],
  [new Error('The server does not support SSL connections'), 'DATABASE_TLS', /sslmode=disable/],
  [failure('25006', 'cannot execute INSERT in a read-only transaction'), 'DATABASE_READ_ONLY', /primary/],
  [failure('53200', 'out of shared memory'), 'DATABASE_OUT_OF_LOCKS', /max_locks_per_transaction/],
  [failure('53200', 'out of memory'), 'DATABASE_UNAVAILABLE', /running/],
  [failure('53300', 'sorry, too many clients already'), 'DATABASE_UNAVAILABLE', /max_connections/],
])('%s is answered with its cause', (error, code, hint) => {
  const known = toEtlError(error, 'working') as EtlError
  expect(known).toMatchObject({ code })
  expect(known.hint).toMatch(hint)
})

test('a missing column is named, and the advice is not to migrate', () => {
  const error = toEtlError(
    failure('42703', 'column "wrap_up_code" of relation "segments" does not exist'),
    'loading',
  ) as EtlError
  expect(error.message).toContain('"wrap_up_code" of relation "segments"')
  expect(error.hint).not.toContain('migrate')
  expect(error.hint).toContain('doctor')
})

test('values of rows stay out of the message', () => {
  const error = toEtlError(failure('22P02', 'invalid input syntax for type integer: "555-0199"'), 'loading') as EtlError
  expect(error.message).not.toContain('555')
})

test('errors that did not come from the database pass through', () => {
  const bug = new TypeError('x is not a function')
  expect(toEtlError(bug, 'working')).toBe(bug)
})

import { AxiosError } from 'axios'
import { expect, test } from 'vitest'
import { failureOf } from '../../src/genesys/http-failure.ts'
import { decideRetry } from '../../src/genesys/retry.ts'

/** What axios throws when Node fails with this code before there is an answer. */
const networkError = (code: string, details: object = {}): AxiosError =>
  AxiosError.from(Object.assign(new Error('some words'), { code }, details))

test.each([
  'EAI_AGAIN',
  'ENOTFOUND',
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'EADDRNOTAVAIL',
  'EMFILE',
  'ERR_SOCKET_CLOSED',
  'ERR_STREAM_PREMATURE_CLOSE',
  'HPE_INVALID_CONSTANT',
])('%s is a network error, which is retried', (code) => {
  const failure = failureOf(networkError(code))
  expect(failure).toEqual({ kind: 'network' })
  expect(decideRetry(failure, [], 0)).toMatchObject({ action: 'retry', reason: 'network' })
})

test.each([
  'CERT_HAS_EXPIRED',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
])('%s is a certificate that is not trusted', (code) => {
  expect(failureOf(networkError(code))).toEqual({ kind: 'certificate' })
})

test('a proxy that refuses CONNECT is known by its status, and one that hangs up is a network error', () => {
  expect(failureOf(networkError('ERR_PROXY_TUNNEL', { statusCode: 407 }))).toEqual({ kind: 'proxy', status: 407 })
  expect(failureOf(networkError('ERR_PROXY_TUNNEL'))).toEqual({ kind: 'network' })
})

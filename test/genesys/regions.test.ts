import { describe, expect, test } from 'vitest'
import { ConfigError } from '../../src/errors.ts'
import { REGIONS, resolveHosts } from '../../src/genesys/regions.ts'

describe('regions', () => {
  test('there are 18, each found by its AWS name and by its domain', () => {
    expect(Object.keys(REGIONS)).toHaveLength(18)
    for (const [name, domain] of Object.entries(REGIONS)) {
      const hosts = { apiUrl: `https://api.${domain}`, loginUrl: `https://login.${domain}` }
      expect(resolveHosts({ environment: name })).toEqual(hosts)
      expect(resolveHosts({ environment: domain })).toEqual(hosts)
    }
  })

  test('a domain that is not known yet is taken, however it is written', () => {
    const hosts = { apiUrl: 'https://api.new1.pure.cloud', loginUrl: 'https://login.new1.pure.cloud' }
    for (const environment of ['new1.pure.cloud', ' New1.Pure.Cloud ', 'apps.new1.pure.cloud'])
      expect(resolveHosts({ environment })).toEqual(hosts)
  })

  test.each(['', 'eu-west', 'https://mypurecloud.ie', 'a b.com', 'mypurecloud', '-x.com', 'constructor', 'x.com/y'])(
    '%j is refused',
    (environment) => {
      expect(() => resolveHosts({ environment })).toThrow(ConfigError)
    },
  )

  test('URLs override the environment', () => {
    expect(
      resolveHosts({ environment: 'us-east-1', apiUrl: 'http://127.0.0.1:9/genesys/', loginUrl: 'https://login.test' }),
    ).toEqual({ apiUrl: 'http://127.0.0.1:9/genesys', loginUrl: 'https://login.test' })
    for (const apiUrl of ['nonsense', 'ftp://x', 'https://user:secret@x', 'https://x/?a=1'])
      expect(() => resolveHosts({ environment: 'us-east-1', apiUrl })).toThrow(/GENESYS_API_URL/)
  })
})

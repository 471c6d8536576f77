import { ConfigError } from '../errors.ts'

/** AWS region → domain of Genesys Cloud, as listed by the official SDK 262 (PureCloudRegionHosts). */
export const REGIONS: Readonly<Record<string, string>> = {
  'us-east-1': 'mypurecloud.com',
  'us-east-2': 'use2.us-gov-pure.cloud',
  'us-west-2': 'usw2.pure.cloud',
  'ca-central-1': 'cac1.pure.cloud',
  'mx-central-1': 'mxc1.pure.cloud',
  'sa-east-1': 'sae1.pure.cloud',
  'eu-central-1': 'mypurecloud.de',
  'eu-central-2': 'euc2.pure.cloud',
  'eu-west-1': 'mypurecloud.ie',
  'eu-west-2': 'euw2.pure.cloud',
  'eusc-de-east-1': 'edee1.eusc-pure.cloud',
  'me-central-1': 'mec1.pure.cloud',
  'ap-south-1': 'aps1.pure.cloud',
  'ap-northeast-1': 'mypurecloud.jp',
  'ap-northeast-2': 'apne2.pure.cloud',
  'ap-northeast-3': 'apne3.pure.cloud',
  'ap-southeast-1': 'apse1.pure.cloud',
  'ap-southeast-2': 'mypurecloud.com.au',
}

export interface Hosts {
  readonly apiUrl: string
  readonly loginUrl: string
}

/**
 * The URLs of the API and the login of an organization. `environment` is an AWS region or a domain; an unknown domain is accepted,
 * because new regions keep appearing. `apiUrl` and `loginUrl` override it. Pure.
 * @throws ConfigError
 */
export function resolveHosts(settings: {
  environment: string
  apiUrl?: string | undefined
  loginUrl?: string | undefined
}): Hosts {
  const domain = domainOf(settings.environment)
  return {
    apiUrl: checkedUrl('GENESYS_API_URL', settings.apiUrl ?? `https://api.${domain}`),
    loginUrl: checkedUrl('GENESYS_LOGIN_URL', settings.loginUrl ?? `https://login.${domain}`),
  }
}

function domainOf(environment: string): string {
  const name = environment.trim().toLowerCase()
  const byRegion = Object.hasOwn(REGIONS, name) ? REGIONS[name] : undefined
  if (byRegion !== undefined) return byRegion
  // People paste what they see in the browser: the host of the app or of the API.
  const domain = name.replace(/^(api|login|apps)\./, '')
  if (/^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$/.test(domain)) return domain
  throw new ConfigError(
    `GENESYS_ENVIRONMENT is neither a domain of Genesys Cloud nor an AWS region: ${JSON.stringify(environment)}`,
    `Use a domain such as mypurecloud.ie, or one of ${Object.keys(REGIONS).join(', ')}.`,
  )
}

function checkedUrl(variable: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  const usable =
    url !== null &&
    (url.protocol === 'https:' || url.protocol === 'http:') &&
    url.username === '' &&
    url.search === '' &&
    url.hash === ''
  if (!usable) throw new ConfigError(`${variable} must be an http(s) URL without credentials, query or fragment.`)
  return url.href.replace(/\/+$/, '')
}

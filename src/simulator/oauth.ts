import { randomBytes } from 'node:crypto'
import { ApiError } from './api-error.ts'
import type { Json } from './conversation-plan.ts'

/** An OAuth client of the organization, changeable at run time. */
export interface OAuthClient {
  readonly id: string
  secret: string
  name: string
  state: 'active' | 'inactive'
  permissions: Set<string>
  /** Ids of the divisions that its roles cover; `*` for all. */
  divisions: '*' | Set<string>
  /** Lifetime of its tokens. */
  tokenSeconds: number
}

export const ALL_PERMISSIONS: readonly string[] = [
  'analytics:conversationDetail:view', 'analytics:conversationAggregate:view', 'analytics:queueObservation:view',
  'routing:queue:view', 'routing:wrapupCode:view', 'routing:skill:view', 'architect:flow:view', 'architect:flowOutcome:view',
  'architect:flowMilestone:view', 'routing:skillGroup:view', 'presence:presenceDefinition:view', 'groups:team:view',
  'quality:evaluationForm:view', 'quality:surveyForm:view', 'outbound:campaign:view', 'outbound:contactList:view',
  'conversation:communication:view', 'analytics:dataRetention:view', 'gdpr:request:view',
] // prettier-ignore

interface Token {
  readonly client: OAuthClient
  readonly expiresAt: number
  /** Set for a token of a person, as other grants issue them. */
  readonly userId: string | undefined
}

/** An answer of the login host, whose errors differ in shape from those of the API. */
export interface TokenAnswer {
  readonly status: number
  readonly body: Json
}

function refusal(error: string, description: string): TokenAnswer {
  return { status: 400, body: { error, description, error_description: description } }
}

/** Issues and checks tokens. Token lifetimes follow the machine's clock, as they do for the client. */
export function createTokens(clients: Map<string, OAuthClient>) {
  const tokens = new Map<string, Token>()

  function issue(client: OAuthClient, userId?: string): string {
    const token = randomBytes(32).toString('base64url')
    tokens.set(token, { client, expiresAt: performance.now() + client.tokenSeconds * 1_000, userId })
    return token
  }

  return {
    issue,

    /** Answers POST /oauth/token. */
    grant(authorization: string | undefined, contentType: string | undefined, body: string): TokenAnswer {
      const [scheme, credentials] = (authorization ?? '').split(' ')
      const form = new URLSearchParams(contentType?.startsWith('application/x-www-form-urlencoded') ? body : '')
      const grantType = form.get('grant_type')
      if (grantType === null) return refusal('invalid_request', 'grant_type is missing')
      if (grantType !== 'client_credentials')
        return refusal('unsupported_grant_type', `unsupported grant type ${grantType}`)
      if (scheme !== 'Basic' || credentials === undefined)
        return refusal('invalid_client', 'client authentication missing')
      const [id = '', ...rest] = Buffer.from(credentials, 'base64').toString().split(':')
      const client = clients.get(id)
      if (!client) return refusal('invalid_client', 'client not found')
      if (client.secret !== rest.join(':')) return refusal('invalid_client', 'authentication failed')
      if (client.state !== 'active') return refusal('invalid_client', 'client is inactive')
      return {
        status: 200,
        body: { access_token: issue(client), token_type: 'bearer', expires_in: client.tokenSeconds },
      }
    },

    /**
     * Finds the token of a request.
     * @throws ApiError 401
     */
    check(authorization: string | undefined): Token {
      const [scheme, text] = (authorization ?? '').split(' ')
      if (scheme?.toLowerCase() !== 'bearer' || !text)
        throw new ApiError(
          401,
          'authentication.required',
          'No authentication bearer token specified in authorization header.',
        )
      const token = tokens.get(text)
      if (!token || token.client.state !== 'active')
        throw new ApiError(401, 'bad.credentials', 'Invalid login credentials.')
      if (performance.now() >= token.expiresAt)
        throw new ApiError(401, 'credentials.expired', 'The supplied credentials are expired and cannot be used.')
      return token
    },

    /** Revokes one token (given with or without its scheme), or all. */
    revoke(authorization?: string): void {
      if (authorization === undefined) tokens.clear()
      else tokens.delete(authorization.replace(/^bearer /i, ''))
    },
  }
}

/**
 * @throws ApiError 403 that names what is missing, when a client has none of the permissions
 */
export function requirePermission(client: OAuthClient, ...anyOf: string[]): void {
  if (anyOf.length === 0 || anyOf.some((permission) => client.permissions.has(permission))) return
  const list = anyOf.join(', ')
  throw new ApiError(
    403,
    'missing.any.permissions',
    `Unable to perform the requested action. You are missing the following permission(s): [${list}]`,
    { params: { permissions: list } },
  )
}

import type { Simulator } from '../../src/simulator/contract.ts'

/** An answer as it came over the wire. */
export interface HttpAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly json: Record<string, unknown>
}

/** A client without any cleverness: what is sent is what the test says. */
export interface HttpClient {
  readonly token: string
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<HttpAnswer>
  details(body: Record<string, unknown>, headers?: Record<string, string>): Promise<HttpAnswer>
  /** Reads every page of an interval. */
  readAll(interval: string, body?: Record<string, unknown>): Promise<Record<string, unknown>[]>
}

export async function login(
  simulator: Simulator,
  id = simulator.clientId,
  secret = simulator.clientSecret,
  body = 'grant_type=client_credentials',
): Promise<HttpAnswer> {
  return answerOf(
    await fetch(`${simulator.url}/oauth/token`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body,
    }),
  )
}

async function answerOf(response: Response): Promise<HttpAnswer> {
  const text = await response.text()
  let json: Record<string, unknown> = {}
  try {
    json = JSON.parse(text) as Record<string, unknown>
  } catch {
    // Some answers are no JSON, on purpose.
  }
  return { status: response.status, headers: response.headers, text, json }
}

export async function connectClient(simulator: Simulator, id?: string, secret?: string): Promise<HttpClient> {
  const { json } = await login(simulator, id, secret)
  const token = String(json['access_token'])
  const send: HttpClient['send'] = async (method, path, body, headers = {}) =>
    answerOf(
      await fetch(simulator.url + path, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      }),
    )
  const details: HttpClient['details'] = (body, headers) =>
    send('POST', '/api/v2/analytics/conversations/details/query', body, headers)
  return {
    token,
    send,
    details,
    async readAll(interval, body = {}) {
      const all: Record<string, unknown>[] = []
      for (let pageNumber = 1; ; pageNumber++) {
        const { json } = await details({ interval, ...body, paging: { pageSize: 100, pageNumber } })
        const page = json['conversations'] as Record<string, unknown>[] | undefined
        if (!page) return all
        all.push(...page)
      }
    },
  }
}

/** `2026-03-19T00:00:00.000Z/2026-03-20T00:00:00.000Z` for two instants. */
export function interval(from: string, to: string): string {
  return `${new Date(from).toISOString()}/${new Date(to).toISOString()}`
}

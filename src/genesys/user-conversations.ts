import { type JsonValue } from '../model/json.ts'
import { EtlError } from '../errors.ts'
import { type GenesysClient, type RequestOptions } from './client.ts'
import { describeBody, fieldsOf } from './answer-body.ts'
import { GenesysError } from './errors.ts'

const PATH = '/api/v2/conversations'

/**
 * The open conversations of the user whose token is used, in the model of the conversations API.
 * @throws EtlError LIVE_NEEDS_USER where the token belongs to an OAuth client and not to a user; GenesysError
 */
export async function readUserConversations(
  client: GenesysClient,
  options: RequestOptions,
): Promise<{ conversations: readonly JsonValue[]; sentAt: number }> {
  try {
    const { data, sentAt } = await client.request<{ entities: readonly JsonValue[] }>({
      method: 'GET',
      path: PATH,
      endpoint: 'user-conversations',
      refuse: (answer) =>
        Array.isArray(fieldsOf(answer)?.['entities']) ? null : `not a list of conversations: ${describeBody(answer)}`,
      ...options,
    })
    return { conversations: data.entities, sentAt }
  } catch (error) {
    if (error instanceof GenesysError && /user context/i.test(error.message)) throw needsUser(error)
    throw error
  }
}

function needsUser(cause: GenesysError): EtlError {
  return new EtlError(`GET ${PATH} gives the conversations of a user, and the token is that of an OAuth client`, {
    code: 'LIVE_NEEDS_USER',
    kind: 'config',
    hint: 'Set LIVE_SOURCE=analytics for all open conversations of the organization, or GENESYS_ACCESS_TOKEN to the token of a user.',
    cause,
  })
}

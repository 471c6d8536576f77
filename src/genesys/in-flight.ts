import PQueue from 'p-queue'
import type { GenesysClient } from './client.ts'

/**
 * The same client with at most `count` requests in flight through it: windows that are read at once share them. The requests
 * that wait for their turn go out in the order in which they came.
 */
export function limitInFlight(client: GenesysClient, count: number): GenesysClient {
  const requests = new PQueue({ concurrency: count })
  return {
    request: (request) => requests.add(() => client.request(request)),
    close: () => client.close(),
  }
}

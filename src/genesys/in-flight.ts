import { type GenesysClient } from './client.ts'
import { createPlaces } from './places.ts'

/** The same client with at most `count` requests in flight through it: windows that are read at once share them. */
export function limitInFlight(client: GenesysClient, count: number): GenesysClient {
  const places = createPlaces(count)
  return {
    async request(request) {
      const giveBack = await places.take()
      try {
        return await client.request(request)
      } finally {
        giveBack()
      }
    },
    close: () => client.close(),
  }
}

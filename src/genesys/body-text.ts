import { promisify } from 'node:util'
import { unzip } from 'node:zlib'
import type { AxiosResponse } from 'axios'

const unzipped = promisify<Buffer, { chunkSize: number }, Buffer>(unzip)

/** A page of 100 conversations is about 600 kB. */
const chunkSize = 1024 * 1024

/**
 * The text of a body that came as bytes, unpacked where it is gzip. axios would do the same in pieces of 16 kB, at twice the
 * CPU (docs/performance.md).
 * @throws Error where the packed body is broken
 */
export async function bodyText(response: AxiosResponse<unknown>): Promise<string> {
  const bytes = response.data as Buffer
  const isPacked = response.headers['content-encoding'] !== undefined && bytes.length > 0
  return new TextDecoder().decode(isPacked ? await unzipped(bytes, { chunkSize }) : bytes)
}

/** Turns the bytes of an answer into text, within a bound. */
import { promisify } from 'node:util'
import { unzip } from 'node:zlib'

const unzipped = promisify<Buffer, { chunkSize: number; maxOutputLength: number }, Buffer>(unzip)

/** A page of 100 conversations is about 600 kB. */
const CHUNK_BYTES = 1024 * 1024

/**
 * The largest answer that is read, before and after unpacking. A page of 100 conversations is about 600 kB; without a bound,
 * one packed megabyte can fill gigabytes of memory.
 */
export const MAX_ANSWER_BYTES = 64 * 1024 * 1024

/** The body of an answer is larger than `MAX_ANSWER_BYTES`. */
export class BodyTooLargeError extends Error {}

/**
 * The text of a body that came as bytes. What is packed is recognized by its first bytes, whatever `Content-Encoding` says:
 * proxies unpack a body and leave the header, send `identity`, or pack without saying so, and no JSON starts with those bytes.
 * axios would unpack in pieces of 16 kB, at twice the CPU (docs/performance.md).
 * @throws BodyTooLargeError; Error where the packed body is broken
 */
export async function bodyText(bytes: Buffer): Promise<string> {
  if (!isPacked(bytes)) return new TextDecoder().decode(bytes)
  try {
    return new TextDecoder().decode(
      await unzipped(bytes, { chunkSize: CHUNK_BYTES, maxOutputLength: MAX_ANSWER_BYTES }),
    )
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE')
      throw new BodyTooLargeError('the unpacked body is too large', { cause: error })
    throw error
  }
}

/** Whether bytes begin like gzip (RFC 1952) or like zlib (RFC 1950), which HTTP calls deflate. */
function isPacked(bytes: Buffer): boolean {
  const [first = 0, second = 0] = bytes
  return (first === 0x1f && second === 0x8b) || (first === 0x78 && (first * 256 + second) % 31 === 0)
}

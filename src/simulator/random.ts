/** A seeded source of randomness: the same seed text gives the same sequence on every machine. */
export interface Random {
  /** A float in [0, 1). */
  next(): number
  /** A whole number in [min, max], both included. */
  int(min: number, max: number): number
  /** True with the given probability. */
  chance(probability: number): boolean
  /** One element of a list that is not empty. */
  pick<T>(list: readonly T[]): T
  /** `count` different elements of a list (fewer where the list is shorter). */
  sample<T>(list: readonly T[], count: number): T[]
  /** One key, with the probability of its weight. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K
  /** Exponentially distributed whole number with the given mean. */
  exponential(mean: number): number
  /** Log-normally distributed whole number with the given median; sigma 0.5 is a mild, 1 a long tail. */
  skewed(median: number, sigma: number): number
  /** A UUID of version 4. */
  uuid(): string
}

/** 32-bit hash of a text (FNV-1a with a final avalanche), unsigned. */
export function hash32(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** A float in [0, 1) that depends on the text alone. */
export function hashFraction(text: string): number {
  return hash32(text) / 0x1_0000_0000
}

const HEX_OF_BYTE = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

function hex16(word: number): string {
  return `${HEX_OF_BYTE[word >>> 8]}${HEX_OF_BYTE[word & 255]}`
}

function hex32(word: number): string {
  return `${HEX_OF_BYTE[word >>> 24]}${HEX_OF_BYTE[(word >>> 16) & 255]}${HEX_OF_BYTE[(word >>> 8) & 255]}${HEX_OF_BYTE[word & 255]}`
}

/**
 * Makes a generator from a seed text (sfc32, Chris Doty-Humphrey's small fast counting generator).
 */
export function createRandom(seed: string): Random {
  let a = hash32(seed)
  let b = hash32(`${seed}·b`)
  let c = hash32(`${seed}·c`)
  let counter = 1

  function word(): number {
    const sum = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    return sum >>> 0
  }
  for (let i = 0; i < 12; i++) word()

  const next = (): number => word() / 0x1_0000_0000
  const int = (min: number, max: number): number => min + Math.floor(next() * (max - min + 1))

  function normal(): number {
    return Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())
  }

  return {
    next,
    int,
    chance: (probability) => next() < probability,
    pick: <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T,
    sample: <T>(list: readonly T[], count: number): T[] => {
      const rest = [...list]
      const taken: T[] = []
      while (taken.length < count && rest.length > 0) taken.push(...rest.splice(int(0, rest.length - 1), 1))
      return taken
    },
    weighted: <K extends string>(weights: Readonly<Record<K, number>>): K => {
      const keys = Object.keys(weights) as K[]
      let left = next() * keys.reduce((sum, key) => sum + weights[key], 0)
      for (const key of keys) {
        left -= weights[key]
        if (left < 0) return key
      }
      return keys.at(-1) as K
    },
    exponential: (mean) => Math.round(-Math.log(1 - next()) * mean),
    skewed: (median, sigma) => Math.round(median * Math.exp(sigma * normal())),
    uuid: () => {
      const [y, z] = [word(), word()]
      const version = hex16(((y & 0x0fff) | 0x4000) >>> 0)
      const variant = hex16((((z >>> 16) & 0x3fff) | 0x8000) >>> 0)
      return `${hex32(word())}-${hex16(y >>> 16)}-${version}-${variant}-${hex16(z & 0xffff)}${hex32(word())}`
    },
  }
}

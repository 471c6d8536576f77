import { hashFraction } from './random.ts'

export type FaultKind =
  | '429'
  | '429-no-header'
  | '429-date'
  | '429-long'
  | '500-html'
  | '502-html'
  | '503'
  | '504'
  | 'reset-before'
  | 'reset-in-body'
  | 'truncated'
  | 'hang'
  | '401'
  | 'html-200'
  | 'empty-200'
  | 'error-200'
  | '403'

export const FAULT_KINDS: readonly FaultKind[] = [
  '429', '429-no-header', '429-date', '429-long', '500-html', '502-html', '503', '504', 'reset-before', 'reset-in-body',
  'truncated', 'hang', '401', 'html-200', 'empty-200', 'error-200',
] // prettier-ignore

/** A refusal, which no retry gets over; so it is not among FAULT_KINDS. */
const REFUSAL: FaultKind = '403'

/** A fault and the requests that it applies to: with neither nth, every nor probability to all that match. */
export interface FaultRule {
  /** `details`: the details query; `token`: the login; `any`: all requests except for the control API; otherwise a path prefix. */
  readonly on: 'details' | 'token' | 'any' | (string & {})
  readonly kind: FaultKind
  /** The nth matching request, counted from when the rule was added, from 1. */
  readonly nth?: number
  /** Every nth matching request. */
  readonly every?: number
  /** Decided by a hash of the request and its attempt, so that it does not depend on the order of requests. */
  readonly probability?: number
  /** The most times that it happens; unlimited by default (an nth happens once anyway). */
  readonly times?: number
  /** The Retry-After of a 429 (default 1; 429-long: 3600) and of a 503 (default: none). */
  readonly retryAfterSeconds?: number
}

/** The properties of a request that rules use. */
export interface FaultSubject {
  readonly endpoint: string
  readonly path: string
  /** Method, path and body: the same for another attempt of the same request. */
  readonly fingerprint: string
}

/** Decides which requests fail and how. */
export function createFaults(seed: string) {
  let rules: { readonly rule: FaultRule; seen: number; done: number }[] = []
  const attempts = new Map<string, number>()

  return {
    add(...added: readonly FaultRule[]): void {
      for (const rule of added) {
        if (rule.kind !== REFUSAL && !FAULT_KINDS.includes(rule.kind))
          throw new RangeError(`unknown kind of fault: ${rule.kind}`)
        rules.push({ rule, seen: 0, done: 0 })
      }
    },
    clear(): void {
      rules = []
    },
    /** How many faults the current rules have caused. */
    happened: () => rules.reduce((sum, { done }) => sum + done, 0),
    /** The rule whose fault a request gets, or undefined. The first rule that applies wins; all that match count the request. */
    ruleFor(request: FaultSubject): FaultRule | undefined {
      if (rules.length === 0) return undefined
      const attempt = (attempts.get(request.fingerprint) ?? 0) + 1
      attempts.set(request.fingerprint, attempt)
      let decided: FaultRule | undefined
      for (const entry of rules) {
        const { rule } = entry
        if (
          rule.on !== 'any' &&
          rule.on !== request.endpoint &&
          !(rule.on.startsWith('/') && request.path.startsWith(rule.on))
        )
          continue
        entry.seen++
        if (decided || (rule.times !== undefined && entry.done >= rule.times)) continue
        const hit =
          rule.nth !== undefined
            ? entry.seen === rule.nth
            : rule.every !== undefined
              ? entry.seen % rule.every === 0
              : rule.probability !== undefined
                ? hashFraction(`${seed}/${rule.kind}/${request.fingerprint}/${attempt}`) < rule.probability
                : true
        if (!hit) continue
        entry.done++
        decided = rule
      }
      return decided
    },
  }
}

import { endOf, endPlan, iso, type ConversationPlan, type Json, type Leg } from './conversation-plan.ts'
import type { Attributes } from './attributes.ts'
import type { DetailsQuery } from './details-query.ts'
import type { Generator, ScenarioKind } from './generate.ts'
import type { MalformedKind } from './malformed-records.ts'
import type { Org } from './org.ts'
import { createRandom, type Random } from './random.ts'
import { newStored, type ConversationStore, type Stored } from './store.ts'

/** A change that happens while a client pages through a window. */
export interface DriftRule {
  /** The interval's text, as the client spells it; without it the rule applies to the first window that gets that far. */
  readonly interval?: string
  /** The number of answered details requests of the window after which it happens. */
  readonly after: number
  /** New conversations at the window's start: the records behind them move to later positions. */
  readonly insertBefore?: number
  /** New conversations at the window's end. */
  readonly insertAfter?: number
  /** The window's first conversations disappear: the records behind them move to earlier positions. */
  readonly removeBefore?: number
  /** The window's last conversations disappear. */
  readonly removeAfter?: number
  /** The number of further requests of the window after which they reappear; without it they stay hidden. */
  readonly restoreAfter?: number
}

/** Conversations that a drift has hidden, and the request of the window after which they reappear. */
interface Restoration {
  readonly interval: string
  readonly at: number
  readonly stored: readonly Stored[]
}

/** Changes of the organization on demand. `truth` reflects each at once; unknown ids throw RangeError. */
export class Changes {
  readonly #store: ConversationStore
  readonly #generator: Generator
  readonly #org: Org
  readonly #seed: string
  /** How many changes needed randomness of their own: each gets the next number as its seed. */
  #count = 0
  #drifts: { readonly rule: DriftRule; fired: boolean }[] = []
  readonly #requestsByInterval = new Map<string, number>()
  #restorations: Restoration[] = []

  constructor(store: ConversationStore, generator: Generator, org: Org, seed: string) {
    this.#store = store
    this.#generator = generator
    this.#org = org
    this.#seed = seed
  }

  /**
   * A new conversation that starts at an instant (default now). The nth one of an organization is the same whenever it starts.
   * @param malformed how it is malformed; without it the conversation is well-formed
   * @returns its id
   */
  begin(kind: ScenarioKind = 'inboundCall', at = this.#store.clock.now(), malformed?: MalformedKind): string {
    const plan = this.#generator.create(`${this.#seed}/${++this.#count}`, at, kind)
    this.#store.add(newStored(plan.id, at, { plan, ...(malformed && { malformed }) }))
    return plan.id
  }

  /**
   * Adds a conversation that never changes by itself. Its own conversationId and conversationStart place it; without
   * conversationEnd it is open.
   * @throws RangeError when it has no usable id or start
   */
  add(conversation: Json): void {
    const { conversationId, conversationStart } = conversation
    const start = Date.parse(String(conversationStart))
    if (typeof conversationId !== 'string' || Number.isNaN(start))
      throw new RangeError('a conversation needs an id and a start')
    this.#store.add(newStored(conversationId, start, { fixed: structuredClone(conversation) }))
  }

  /** Replaces a conversation by the given JSON; from then on it never changes by itself. */
  replace(id: string, conversation: Json): void {
    const stored = this.#find(id)
    stored.plan = undefined
    stored.fixed = structuredClone(conversation)
    this.#store.invalidate(stored)
  }

  /** Removes the conversation, as an erasure does. */
  remove(id: string): void {
    this.#hide([this.#find(id)], true)
  }

  /** Brings a removed conversation back. */
  restore(id: string): void {
    this.#hide([this.#find(id)], false)
  }

  /** Ends an open conversation now: what is in progress is closed, after-call work too, and nothing follows. */
  end(id: string): void {
    const { stored, plan } = this.#findPlan(id)
    endPlan(plan, this.#store.clock.now())
    this.#store.invalidate(stored)
  }

  /** Adds after-call work of the last agent that ends now, at any age of the conversation; it becomes the conversationEnd. */
  addWrapUp(id: string): void {
    const { stored, plan } = this.#findPlan(id)
    const now = this.#store.clock.now()
    const leg = lastAgentLeg(plan, now)
    if (!leg) throw new RangeError(`conversation ${id} has no agent`)
    const code = this.#org.wrapUpCodes[this.#count++ % this.#org.wrapUpCodes.length]?.id
    leg.spans.push({
      type: 'wrapup',
      start: now - 20_000,
      end: now,
      fields: { wrapUpCode: code, wrapUpNote: 'added late' },
    })
    this.#store.invalidate(stored)
  }

  /**
   * Adds a finished evaluation now.
   * @returns its id
   */
  addEvaluation(id: string): string {
    const { stored, plan } = this.#findPlan(id)
    const at = this.#store.clock.now()
    const random = this.#random('evaluation')
    const evaluationId = random.uuid()
    const form = random.pick(this.#org.evaluationForms)
    const value = {
      contextId: form.contextId,
      deleted: false,
      evaluationId,
      evaluationStatus: 'Finished',
      evaluatorId: this.#org.users[50]?.id,
      eventTime: iso(at),
      formId: form.id,
      formName: form.name,
      released: true,
      rescored: false,
      oTotalScore: random.int(40, 100),
    }
    plan.lateRecords.push({ at, list: 'evaluations', id: evaluationId, value })
    this.#store.invalidate(stored)
    return evaluationId
  }

  /**
   * Reopens an ended conversation now, as the reply of a customer does; it stays open until it is ended.
   * @throws RangeError when it has not ended
   */
  reopen(id: string): void {
    const { stored, plan } = this.#findPlan(id)
    const now = this.#store.clock.now()
    // A thread that would be reopened by itself later is reopened now instead.
    if (plan.pauses.some(([ended, again]) => ended <= now && now < again)) endPlan(plan, now)
    const end = endOf(plan)
    if (end > now) throw new RangeError(`conversation ${id} is not over`)
    plan.pauses.push([end, now])
    const [participant] = plan.participants
    const last = participant?.legs.at(-1)
    if (!participant || !last) throw new RangeError(`conversation ${id} has no participant`)
    participant.legs.push({
      ...last,
      session: { ...last.session, sessionId: this.#random('reopen').uuid() },
      spans: [{ type: 'interact', start: now, end: Infinity, fields: {} }],
      stated: [],
      stats: [],
      flow: undefined,
    })
    this.#store.invalidate(stored)
  }

  /** Sets the attributes of the first participant of a conversation; the other participants have none. */
  setAttributes(id: string, attributes: Attributes): void {
    const stored = this.#find(id)
    stored.attributes = [attributes]
    this.#store.invalidate(stored)
  }

  /** Moves the start of a conversation to another instant, as a correction by Genesys does. */
  correctStart(id: string, start: number | string | Date): void {
    const stored = this.#find(id)
    const instant = new Date(start).getTime()
    if (Number.isNaN(instant)) throw new RangeError('not an instant')
    const plan = this.#store.planOf(stored)
    if (plan) plan.start = instant
    else if (stored.fixed) stored.fixed['conversationStart'] = iso(instant)
    this.#store.invalidate(stored)
    this.#store.move(stored, instant)
  }

  /** Plans changes that happen while a client pages. */
  drift(...rules: readonly DriftRule[]): void {
    this.#drifts.push(...rules.map((rule) => ({ rule, fired: false })))
  }

  /** Drops the planned changes. */
  clearDrift(): void {
    this.#drifts = []
    this.#requestsByInterval.clear()
  }

  /** Applies the drift rules. Called after each answered details request, with the records that matched it. */
  afterDetails(interval: string, query: DetailsQuery, hits: readonly Stored[]): void {
    if (this.#drifts.length === 0 && this.#restorations.length === 0) return
    const count = (this.#requestsByInterval.get(interval) ?? 0) + 1
    this.#requestsByInterval.set(interval, count)
    const isDue = (each: Restoration): boolean => each.interval === interval && each.at <= count
    for (const { stored } of this.#restorations.filter(isDue)) this.#hide(stored, false)
    this.#restorations = this.#restorations.filter((each) => !isDue(each))
    for (const drift of this.#drifts) {
      const { rule } = drift
      if (drift.fired || rule.after !== count || (rule.interval !== undefined && rule.interval !== interval)) continue
      drift.fired = true
      this.#apply(rule, interval, count, query, hits)
    }
  }

  #apply(rule: DriftRule, interval: string, count: number, query: DetailsQuery, hits: readonly Stored[]): void {
    const removed = [
      ...hits.slice(0, rule.removeBefore ?? 0),
      ...(rule.removeAfter ? hits.slice(-rule.removeAfter) : []),
    ]
    if (removed.length > 0) {
      this.#hide(removed, true)
      if (rule.restoreAfter !== undefined)
        this.#restorations.push({ interval, at: count + rule.restoreAfter, stored: removed })
    }
    for (let i = 0; i < (rule.insertBefore ?? 0); i++) this.begin('inboundCall', query.start + i)
    for (let i = 0; i < (rule.insertAfter ?? 0); i++) this.begin('inboundCall', query.end - 1 - i)
  }

  #find(id: string): Stored {
    const stored = this.#store.find(id)
    if (!stored) throw new RangeError(`no conversation ${id}`)
    return stored
  }

  #findPlan(id: string): { readonly stored: Stored; readonly plan: ConversationPlan } {
    const stored = this.#find(id)
    const plan = this.#store.planOf(stored)
    if (!plan) throw new RangeError(`conversation ${id} was given as JSON: replace it instead`)
    return { stored, plan }
  }

  #hide(list: readonly Stored[], isHidden: boolean): void {
    for (const stored of list) stored.hidden = isHidden
    this.#store.invalidate()
  }

  #random(purpose: string): Random {
    return createRandom(`${this.#seed}/${purpose}/${++this.#count}`)
  }
}

/** The session of an agent that began last; undefined where no agent has taken part yet. */
function lastAgentLeg(plan: ConversationPlan, now: number): Leg | undefined {
  const [leg] = plan.participants
    .filter(({ fields }) => fields['purpose'] === 'agent')
    .flatMap(({ legs }) => legs)
    .filter(({ spans }) => (spans[0]?.start ?? Infinity) <= now)
    .toSorted((a, b) => (b.spans[0]?.start ?? 0) - (a.spans[0]?.start ?? 0))
  return leg
}

import type { DetailsQuery } from './details-query.ts'
import type { Generator, ScenarioKind } from './generate.ts'
import type { MalformedKind } from './malformed-records.ts'
import { createRandom } from './random.ts'
import { newStored, type Store, type Stored } from './store.ts'
import { endOf, endPlan, iso, type Json, type Leg } from './conversation-plan.ts'
import type { Org } from './org.ts'

/** A change that happens while a client pages through a window. */
export interface DriftRule {
  /** The interval's text, as the client spells it; without: the first window that gets so far. */
  readonly interval?: string
  /** After so many answered details requests of the window. */
  readonly after: number
  /** New conversations at the window's start: what follows moves to later positions. */
  readonly insertBefore?: number
  /** New conversations at the window's end. */
  readonly insertAfter?: number
  /** The window's first conversations vanish: what follows moves to earlier positions. */
  readonly removeBefore?: number
  /** The window's last conversations vanish. */
  readonly removeAfter?: number
  /** The vanished come back after so many further requests of the window; without: they stay away. */
  readonly restoreAfter?: number
}

/** Changes of the organization on demand. Each keeps the truth in step; unknown ids throw RangeError. */
export function createChanges(store: Store, generator: Generator, org: Org, seed: string) {
  let made = 0
  let drifts: { rule: DriftRule; fired: boolean }[] = []
  const asked = new Map<string, number>()
  const returns: { interval: string; at: number; stored: Stored[] }[] = []

  function stored(id: string): Stored {
    const found = store.find(id)
    if (!found) throw new RangeError(`no conversation ${id}`)
    return found
  }

  function plan(id: string) {
    const it = stored(id)
    const told = store.planOf(it)
    if (!told) throw new RangeError(`conversation ${id} was given as JSON: replace it instead`)
    return { it, told }
  }

  function hide(list: readonly Stored[], hidden: boolean): void {
    for (const each of list) each.hidden = hidden
    store.touch()
  }

  /**
   * A new conversation that starts at an instant (default now); the nth one of an organization is the same whenever it starts.
   * @param malformed how it is spoiled; unless given it is well-formed
   * @returns its id
   */
  function begin(kind: ScenarioKind = 'inboundCall', at = store.clock.now(), malformed?: MalformedKind): string {
    const told = generator.tell(`${seed}/${++made}`, at, kind)
    store.add(newStored(told.id, at, { plan: told, ...(malformed && { malformed }) }))
    return told.id
  }

  function lastAgentLeg(id: string): Leg {
    const { told } = plan(id)
    const now = store.clock.now()
    const [leg] = told.participants
      .filter(({ fields }) => fields['purpose'] === 'agent')
      .flatMap(({ legs }) => legs)
      .filter(({ spans }) => (spans[0]?.start ?? Infinity) <= now)
      .toSorted((a, b) => (b.spans[0]?.start ?? 0) - (a.spans[0]?.start ?? 0))
    if (!leg) throw new RangeError(`conversation ${id} has no agent`)
    return leg
  }

  return {
    begin,

    /** Adds a conversation as it stands; its own conversationId and conversationStart place it. Without conversationEnd it is open. */
    add(conversation: Json): void {
      const { conversationId, conversationStart } = conversation
      const start = Date.parse(String(conversationStart))
      if (typeof conversationId !== 'string' || Number.isNaN(start))
        throw new RangeError('a conversation needs an id and a start')
      store.add(newStored(conversationId, start, { fixed: structuredClone(conversation) }))
    },

    /** Puts another JSON in a conversation's place; from then on it stands as given. */
    replace(id: string, conversation: Json): void {
      const it = stored(id)
      it.plan = undefined
      it.fixed = structuredClone(conversation)
      store.touch(it)
    },

    /** The conversation is gone for good, as after an erasure. */
    remove(id: string): void {
      hide([stored(id)], true)
    },

    /** A removed conversation is back. */
    restore(id: string): void {
      hide([stored(id)], false)
    },

    /** Ends an open conversation now: what is in progress is closed, after-call work too, and nothing follows. */
    end(id: string): void {
      const { it, told } = plan(id)
      endPlan(told, store.clock.now())
      store.touch(it)
    },

    /** After-call work of the last agent that ends now, on a conversation however old; its conversationEnd becomes that. */
    addWrapUp(id: string): void {
      const leg = lastAgentLeg(id)
      const now = store.clock.now()
      const code = org.wrapUpCodes[made++ % org.wrapUpCodes.length]?.id
      leg.spans.push({
        type: 'wrapup',
        start: now - 20_000,
        end: now,
        fields: { wrapUpCode: code, wrapUpNote: 'added late' },
      })
      store.touch(stored(id))
    },

    /** A finished evaluation arrives now. Gives its id. */
    addEvaluation(id: string): string {
      const { it, told } = plan(id)
      const random = createRandom(`${seed}/evaluation/${++made}`)
      const at = store.clock.now()
      const evaluationId = random.uuid()
      const form = random.pick(org.evaluationForms)
      const value = {
        contextId: form.contextId,
        deleted: false,
        evaluationId,
        evaluationStatus: 'Finished',
        evaluatorId: org.users[50]?.id,
        eventTime: iso(at),
        formId: form.id,
        formName: form.name,
        released: true,
        rescored: false,
        oTotalScore: random.int(40, 100),
      }
      told.lateRecords.push({ at, list: 'evaluations', id: evaluationId, value })
      store.touch(it)
      return evaluationId
    },

    /** A conversation that is over goes on now, as a thread does when the customer replies; it stays open until it is ended. */
    reopen(id: string): void {
      const { it, told } = plan(id)
      const now = store.clock.now()
      // A thread that would be reopened by itself later is reopened now instead.
      if (told.pauses.some(([ended, again]) => ended <= now && now < again)) endPlan(told, now)
      const end = endOf(told)
      if (end > now) throw new RangeError(`conversation ${id} is not over`)
      told.pauses.push([end, now])
      const [participant] = told.participants
      const last = participant?.legs.at(-1)
      if (!participant || !last) throw new RangeError(`conversation ${id} has no participant`)
      const random = createRandom(`${seed}/reopen/${++made}`)
      participant.legs.push({
        ...last,
        session: { ...last.session, sessionId: random.uuid() },
        spans: [{ type: 'interact', start: now, end: Infinity, fields: {} }],
        stated: [],
        stats: [],
        flow: undefined,
      })
      store.touch(it)
    },

    /** The conversation turns out to have started at another instant. */
    correctStart(id: string, start: number | string | Date): void {
      const it = stored(id)
      const instant = new Date(start).getTime()
      if (Number.isNaN(instant)) throw new RangeError('not an instant')
      const told = store.planOf(it)
      if (told) told.start = instant
      else if (it.fixed) it.fixed['conversationStart'] = iso(instant)
      store.touch(it)
      store.move(it, instant)
    },

    /** Plans changes while a client reads. */
    drift(...rules: readonly DriftRule[]): void {
      drifts.push(...rules.map((rule) => ({ rule, fired: false })))
    },

    /** Forgets planned changes. */
    clearDrift(): void {
      drifts = []
      asked.clear()
    },

    /** Called after each answered details request, with what it found. */
    afterDetails(interval: string, query: DetailsQuery, hits: readonly Stored[]): void {
      if (drifts.length === 0 && returns.length === 0) return
      const count = (asked.get(interval) ?? 0) + 1
      asked.set(interval, count)
      for (const back of returns.filter((each) => each.interval === interval && each.at <= count)) {
        returns.splice(returns.indexOf(back), 1)
        hide(back.stored, false)
      }
      for (const drift of drifts) {
        const { rule } = drift
        if (drift.fired || rule.after !== count || (rule.interval !== undefined && rule.interval !== interval)) continue
        drift.fired = true
        const gone = [
          ...hits.slice(0, rule.removeBefore ?? 0),
          ...(rule.removeAfter ? hits.slice(-rule.removeAfter) : []),
        ]
        if (gone.length > 0) hide(gone, true)
        if (gone.length > 0 && rule.restoreAfter !== undefined)
          returns.push({ interval, at: count + rule.restoreAfter, stored: gone })
        for (let i = 0; i < (rule.insertBefore ?? 0); i++) begin('inboundCall', query.start + i)
        for (let i = 0; i < (rule.insertAfter ?? 0); i++) begin('inboundCall', query.end - 1 - i)
      }
    },
  }
}

export type Changes = ReturnType<typeof createChanges>

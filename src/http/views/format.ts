/** How numbers, times and names are shown on the pages. */
import { html } from 'hono/html'
import { type HtmlEscapedString } from 'hono/utils/html'
import { type NamedKind, type NameOf } from '../../live/names.ts'
import { clockText } from '../assets/clock.js'

/** The result of a component. hono/html escapes every value, in attributes too as long as they are quoted. */
export type Html = HtmlEscapedString

/** html`` without promises inside returns its text at once; its type does not say so. */
export function markup(strings: TemplateStringsArray, ...values: unknown[]): Html {
  return html(strings, ...values) as Html
}

/** An empty value, for the eye and for a screen reader. */
export const nothing = markup`<span aria-hidden="true">–</span><span class="unseen">none</span>`

const wholeNumber = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })

/** 1234567 → 1,234,567. */
export function number(value: number): string {
  return wholeNumber.format(value)
}

/** 0.8749 → 87%, rounded down to whole percent, so that only all of them are 100%. */
export function percent(share: number): string {
  return `${number(Math.floor(share * 100 + 1e-9))}%`
}

/** 1 window, 2 windows: a noun with its number. */
export function plural(count: number, noun: string): string {
  return `${number(count)} ${noun}${count === 1 ? '' : 's'}`
}

/** Seconds in words, rounded: 12 s, 4 min, 3 h 20 min, 2 d 5 h. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  if (whole < 90) return `${whole} s`
  const minutes = Math.round(whole / 60)
  if (minutes < 60) return `${minutes} min`
  if (minutes < 48 * 60) return twoUnits(Math.floor(minutes / 60), 'h', minutes % 60, 'min')
  const hours = Math.round(minutes / 60)
  return twoUnits(Math.floor(hours / 24), 'd', hours % 24, 'h')
}

/** Seconds in one unit, rounded down: 42 s, 12 min, 18 h, 3 d. */
export function shortSpan(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  if (whole < 90) return `${whole} s`
  if (whole < 90 * 60) return `${Math.floor(whole / 60)} min`
  return whole < 48 * 3600 ? `${Math.floor(whole / 3600)} h` : `${Math.floor(whole / 86_400)} d`
}

function twoUnits(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`
}

/** An instant of today as 14:05, of another day as 21 Nov 14:05; UTC. */
export function instant(at: Date, now: Date): string {
  const time = at.toISOString().slice(11, 16)
  return at.toISOString().slice(0, 10) === now.toISOString().slice(0, 10) ? time : `${day(at)} ${time}`
}

const dayFormat = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' })

/** 21 Nov. */
export function day(at: Date): string {
  return dayFormat.format(at)
}

const dayNameFormat = new Intl.DateTimeFormat('en-GB', {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  timeZone: 'UTC',
})

/** 2026-11-26 → Thu 26 Nov. */
export function dayName(date: string): string {
  return dayNameFormat.format(new Date(`${date}T00:00:00Z`)).replace(',', '')
}

/** An instant for people, with the exact one for machines and as a tooltip. */
export function time(at: Date | null, now: Date): Html {
  if (!at) return nothing
  return markup`<time datetime="${at.toISOString()}" title="${at.toISOString()}">${instant(at, now)}</time>`
}

/** A clock that counts up from `since`; page.js keeps it running. */
export function counting(since: Date | null, now: Date): Html {
  if (!since) return nothing
  const iso = since.toISOString()
  return markup`<time data-since="${iso}" datetime="${iso}">${clockText((+now - +since) / 1000)}</time>`
}

/** Names of up to this many letters are never split. */
const UNSPLIT_LETTERS = 12
const END_LETTERS = 7

/** The name of an id, in a bidirectional isolate; without a name the start of the id, with the whole id as a tooltip. */
export function named(nameOf: NameOf, kind: NamedKind, id: string | null): Html {
  if (id === null) return nothing
  const name = nameOf(kind, id)
  if (name !== undefined) return markup`<bdi title="${name} (${id})">${splitName(name)}</bdi>`
  return markup`<bdi class="id" title="${id}">${id.length > 12 ? `${id.slice(0, 8)}…` : id}</bdi>`
}

/** Splits a long name into beginning and end, so that style.css can cut in between: often only the ends of names differ. */
function splitName(name: string): Html {
  const letters = Array.from(new Intl.Segmenter().segment(name), ({ segment }) => segment)
  if (letters.length <= UNSPLIT_LETTERS) return markup`${name}`
  const beginning = letters.slice(0, -END_LETTERS).join('')
  const end = letters.slice(-END_LETTERS).join('')
  return markup`<span class="beginning">${beginning}</span><span class="end">${end}</span>`
}

/** How numbers, times and names look on the pages. */
import { html } from 'hono/html'
import type { HtmlEscapedString } from 'hono/utils/html'
import type { NamedKind, NameOf } from '../../live/names.ts'

/** What a view function makes. hono/html escapes every text that goes in, in attributes too, as long as they are quoted. */
export type Html = HtmlEscapedString

/** html`` without promises inside makes its text at once; its type does not say so. */
export function markup(strings: TemplateStringsArray, ...values: unknown[]): Html {
  return html(strings, ...values) as Html
}

/** Nothing to show, for the eye and for the ear. */
export const nothing = markup`<span aria-hidden="true">–</span><span class="unseen">none</span>`

const wholeNumber = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })

/** 1234567 → 1,234,567. */
export function number(value: number): string {
  return wholeNumber.format(value)
}

/** Seconds as a running clock: 0:42, 12:05, 1:02:09; from two days on 3 d 4 h. page.js counts on in the same way. */
function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  if (whole >= 172_800) return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`
  const two = (part: number): string => String(part).padStart(2, '0')
  const minutes = Math.floor(whole / 60)
  return minutes < 60
    ? `${minutes}:${two(whole % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`
}

/** Seconds in words, roughly: 12 s, 4 min, 3 h 20 min, 2 d 5 h. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  if (whole < 90) return `${whole} s`
  const minutes = Math.round(whole / 60)
  if (minutes < 60) return `${minutes} min`
  if (minutes < 48 * 60) return parts(Math.floor(minutes / 60), 'h', minutes % 60, 'min')
  const hours = Math.round(minutes / 60)
  return parts(Math.floor(hours / 24), 'd', hours % 24, 'h')
}

function parts(large: number, largeUnit: string, small: number, smallUnit: string): string {
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

/** An instant for people, with the exact one for machines and as a tooltip. */
export function time(at: Date | null, now: Date): Html {
  if (!at) return nothing
  return markup`<time datetime="${at.toISOString()}" title="${at.toISOString()}">${instant(at, now)}</time>`
}

/** A clock that counts up from `since`; page.js keeps it going. */
export function counting(since: Date | null, now: Date): Html {
  if (!since) return nothing
  return markup`<time data-since="${since.toISOString()}" datetime="${since.toISOString()}">${clock((+now - +since) / 1000)}</time>`
}

/** Names up to this long are left in one piece. */
const UNCUT_LETTERS = 12
const END_LETTERS = 7

/** The name of an id where one is known (in a direction of writing of its own), else the beginning of the id, the whole of it as a tooltip. */
export function named(nameOf: NameOf, kind: NamedKind, id: string | null): Html {
  if (id === null) return nothing
  const name = nameOf(kind, id)
  if (name !== undefined) return markup`<bdi title="${name} (${id})">${inTwo(name)}</bdi>`
  return markup`<bdi class="id" title="${id}">${id.length > 12 ? `${id.slice(0, 8)}…` : id}</bdi>`
}

/** A long name's beginning and its end apart, so that style.css can cut in between: often only the ends of names differ. */
function inTwo(name: string): Html {
  const letters = Array.from(new Intl.Segmenter().segment(name), ({ segment }) => segment)
  if (letters.length <= UNCUT_LETTERS) return markup`${name}`
  const beginning = letters.slice(0, -END_LETTERS).join('')
  return markup`<span class="beginning">${beginning}</span><span class="end">${letters.slice(-END_LETTERS).join('')}</span>`
}

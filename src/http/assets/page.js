/* global document, location, matchMedia, addEventListener, setInterval, setTimeout, clearTimeout, fetch, AbortSignal, DOMParser */
/** Keeps a page up to date: fetches its parts every few seconds, replaces those that changed, and keeps its clocks running. */
import { clockText } from './clock.js'

const REFRESH_INTERVAL_MS = 4000
const REQUEST_TIMEOUT_MS = 15_000

/** The same as in style.css: a screen on which the page does not scroll. */
const wall = matchMedia('(min-width: 112.5rem) and (min-height: 62.5rem)')
const ROWS_ON_A_WALL = { queues: 9, today: 6, agents: 12 }
/** Beside the figures of the day. */
const QUEUES_BESIDE_TODAY = 6

const main = document.getElementById('main')
const offline = document.getElementById('offline')
const announcement = document.getElementById('announcement')
/** Each part's HTML as the server sent it: the clocks change the page. */
const received = new Map([...main.children].map((part) => [part.dataset.part, part.innerHTML]))
let clockOffset = Date.parse(main.dataset.now) - Date.now()
let timer

function tick() {
  const now = Date.now() + clockOffset
  document.getElementById('clock').textContent = `${new Date(now).toISOString().slice(11, 19)} UTC`
  const { snapshotAt, staleSeconds } = main.dataset
  const isStale = snapshotAt !== '' && (now - Date.parse(snapshotAt)) / 1000 > Number(staleSeconds)
  main.dataset.stale = isStale ? 'yes' : 'no'
  const banner = main.querySelector('.banner.stale')
  if (banner && banner.hidden === isStale) {
    banner.hidden = !isStale
    fit()
  }
  announce(isStale ? 'The data is stale' : main.dataset.announcement)
  for (const clock of main.querySelectorAll('time[data-since]')) {
    // In stale data only its age still counts up: the conversations in it may be over.
    if (isStale && !clock.closest('.freshness, .age')) continue
    clock.textContent = clockText((now - Date.parse(clock.dataset.since)) / 1000)
  }
}

/** On a wall, shows as many rows as fit and the line about the others; elsewhere all of them. The day may show its totals alone. */
function fit() {
  const hasToday = main.querySelector('.today') !== null
  for (const [name, limit] of Object.entries(ROWS_ON_A_WALL)) {
    const max = name === 'queues' && hasToday ? QUEUES_BESIDE_TODAY : limit
    const min = name === 'today' ? 0 : 1
    const part = main.querySelector(`.${name}`)
    const rows = [...(part?.querySelectorAll('tbody tr') ?? [])]
    const showRows = (count) => {
      for (const [index, row] of rows.entries()) row.hidden = index >= count
      for (const line of part.querySelectorAll('.more')) line.hidden = Number(line.dataset.after) !== count
      part.querySelector('.scroll').hidden = count === 0
    }
    if (rows.length === 0) continue
    let count = wall.matches ? Math.min(max, rows.length) : rows.length
    showRows(count)
    while (wall.matches && count > min && part.scrollHeight > part.clientHeight) showRows(--count)
  }
}

function announce(text) {
  if (announcement.textContent !== text) announcement.textContent = text
}

/** Replaces the parts that differ. An incomplete response (the database is away) leaves the other parts. */
function show(text, isComplete) {
  const next = new DOMParser().parseFromString(text, 'text/html').getElementById('main')
  if (!next) throw new Error('the response has no main element')
  const focused = document.activeElement?.closest('[data-part]')?.dataset.part
  const parts = [...next.children]
  const current = new Map([...main.children].map((part) => [part.dataset.part, part]))
  const hasSameParts = parts.length === current.size && parts.every((part) => current.has(part.dataset.part))
  if (isComplete && !hasSameParts) {
    main.replaceChildren(...parts)
    received.clear()
  } else {
    for (const part of parts) {
      const old = current.get(part.dataset.part)
      if (!old || received.get(part.dataset.part) === part.innerHTML) continue
      received.set(part.dataset.part, part.innerHTML)
      old.replaceChildren(...part.childNodes)
    }
  }
  for (const [name, value] of Object.entries(next.dataset)) {
    if (isComplete || name !== 'snapshotAt') main.dataset[name] = value
  }
  if (focused && document.activeElement === document.body) {
    main.querySelector(`[data-part="${focused}"] [tabindex]`)?.focus({ preventScroll: true })
  }
  document.title = main.dataset.title
  clockOffset = Date.parse(main.dataset.now) - Date.now()
}

async function refresh() {
  clearTimeout(timer)
  try {
    // An absolute URL from the origin: a page opened with a token in its address passes it on to relative URLs, which fetch refuses.
    const response = await fetch(`${location.origin}${location.pathname}?fragment`, {
      headers: { Accept: 'text/html' },
      cache: 'no-store',
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    })
    if (!response.ok && response.status !== 503) throw new Error(`status ${response.status}`)
    show(await response.text(), response.ok)
    offline.hidden = true
  } catch {
    if (offline.hidden) {
      document.getElementById('offline-since').textContent = new Date().toISOString().slice(11, 19)
      offline.hidden = false
    }
  }
  fit()
  tick()
  timer = setTimeout(() => void refresh(), REFRESH_INTERVAL_MS)
}

fit()
tick()
addEventListener('resize', fit)
setInterval(tick, 1000)
timer = setTimeout(() => void refresh(), REFRESH_INTERVAL_MS)
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) void refresh()
})

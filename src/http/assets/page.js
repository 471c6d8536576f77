/* global document, location, matchMedia, addEventListener, setInterval, setTimeout, clearTimeout, fetch, AbortSignal, DOMParser */
/** Keeps a page up to date: asks for its parts every few seconds and puts in what has changed; counts clocks on in between. */

const ASK_EVERY_MS = 4000
const GIVE_UP_AFTER_MS = 15_000

/** As in style.css: where the page is as high as the screen, and nobody scrolls. */
const wall = matchMedia('(min-width: 112.5rem) and (min-height: 62.5rem)')
const ROWS_ON_A_WALL = { queues: 9, agents: 12 }

const main = document.getElementById('main')
const offline = document.getElementById('offline')
const told = document.getElementById('told')
/** Each part's HTML as the server sent it, since the clocks in the page go on. */
const received = new Map([...main.children].map((part) => [part.dataset.part, part.innerHTML]))
let clockOffset = Date.parse(main.dataset.now) - Date.now()
let timer

function clockText(seconds) {
  const whole = Math.max(0, Math.floor(seconds))
  if (whole >= 172_800) return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`
  const two = (part) => String(part).padStart(2, '0')
  const minutes = Math.floor(whole / 60)
  return minutes < 60
    ? `${minutes}:${two(whole % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`
}

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
  tell(isStale ? 'The picture is stale' : main.dataset.told)
  for (const clock of main.querySelectorAll('time[data-since]')) {
    // Of an old picture only its age is known to go on; those who waited in it may be gone.
    if (isStale && !clock.closest('.picture, .age')) continue
    clock.textContent = clockText((now - Date.parse(clock.dataset.since)) / 1000)
  }
}

/** On a wall as many rows as there is room for, and the line that tells of the others; elsewhere all of them. */
function fit() {
  for (const [name, most] of Object.entries(ROWS_ON_A_WALL)) {
    const part = main.querySelector(`.${name}`)
    const rows = [...(part?.querySelectorAll('tbody tr') ?? [])]
    const keep = (count) => {
      for (const [index, row] of rows.entries()) row.hidden = index >= count
      for (const line of part.querySelectorAll('.more')) line.hidden = Number(line.dataset.after) !== count
    }
    if (rows.length === 0) continue
    let count = wall.matches ? Math.min(most, rows.length) : rows.length
    keep(count)
    while (wall.matches && count > 1 && part.scrollHeight > part.clientHeight) keep(--count)
  }
}

function tell(text) {
  if (told.textContent !== text) told.textContent = text
}

/** Puts in the parts of an answer that differ. An answer without the page's parts (the database is away) leaves the others. */
function show(text, isWhole) {
  const next = new DOMParser().parseFromString(text, 'text/html').getElementById('main')
  if (!next) throw new Error('not a page of ours')
  const focused = document.activeElement?.closest('[data-part]')?.dataset.part
  const parts = [...next.children]
  const current = new Map([...main.children].map((part) => [part.dataset.part, part]))
  const hasSameParts = parts.length === current.size && parts.every((part) => current.has(part.dataset.part))
  if (isWhole && !hasSameParts) {
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
    if (isWhole || name !== 'snapshotAt') main.dataset[name] = value
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
    // From the origin: relative to a page opened with a token in its address, the address would hold it too, which fetch refuses.
    const answer = await fetch(`${location.origin}${location.pathname}?fragment`, {
      headers: { Accept: 'text/html' },
      cache: 'no-store',
      signal: AbortSignal.timeout(GIVE_UP_AFTER_MS),
    })
    if (!answer.ok && answer.status !== 503) throw new Error(`answered ${answer.status}`)
    show(await answer.text(), answer.ok)
    offline.hidden = true
  } catch {
    if (offline.hidden) {
      document.getElementById('offline-since').textContent = new Date().toISOString().slice(11, 19)
      offline.hidden = false
    }
  }
  fit()
  tick()
  timer = setTimeout(() => void refresh(), ASK_EVERY_MS)
}

fit()
tick()
addEventListener('resize', fit)
setInterval(tick, 1000)
timer = setTimeout(() => void refresh(), ASK_EVERY_MS)
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) void refresh()
})

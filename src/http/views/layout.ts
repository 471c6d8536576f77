/** The frame of every page. */
import { markup, type Html } from './format.ts'

const PAGES = [
  { path: '/', name: 'Status' },
  { path: '/live', name: 'Wallboard' },
] as const

/** A page as a view makes it: title, its parts, and whether what it shows is whole. */
export interface View {
  readonly title: string
  readonly current: '/' | '/live'
  readonly main: Html
  readonly isWhole: boolean
}

/** A whole page. `theme`: light or dark whatever the browser prefers, for screens on walls. */
export function page({ title, current, main }: View, theme: 'light' | 'dark' | null): Html {
  const query = theme ? `?theme=${theme}` : ''
  return markup`<!doctype html>
<html lang="en" data-theme="${theme ?? 'auto'}">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="${theme ?? 'light dark'}" />
    <title>${title}</title>
    <link rel="icon" href="/assets/icon.svg" type="image/svg+xml" />
    <link rel="stylesheet" href="/assets/style.css" />
    <script src="/assets/page.js" defer></script>
    <noscript><meta http-equiv="refresh" content="15" /></noscript>
  </head>
  <body class="${current === '/live' ? 'wall' : 'desk'}">
    <a class="skip" href="#main">Skip to the content</a>
    <header class="top">
      <p class="brand"><span class="mark" aria-hidden="true"></span>genesys-etl</p>
      <nav aria-label="Pages">
        ${PAGES.map(({ path, name }) => markup`<a href="${path}${query}" ${path === current ? markup`aria-current="page"` : ''}>${name}</a>`)}
      </nav>
      <p class="clock"><time id="clock"></time></p>
    </header>
    <p id="told" class="unseen" aria-live="polite"></p>
    <p id="offline" class="banner" role="alert" hidden>
      <strong>No answer from the service</strong> since <span id="offline-since"></span>. It is asked again every few seconds; what you see is as old as that.
    </p>
    ${main}
    <footer class="bottom">Times are UTC. This page keeps itself up to date.</footer>
  </body>
</html>`
}

/** The part of a page that its script replaces: only what has changed, part by part. */
export function mainOf(options: {
  readonly title: string
  readonly now: Date
  readonly className: string
  /** What a screen reader is told, once each time that it changes. */
  readonly told: string
  /** Of live data: when it was taken, and from which age on it is called stale. */
  readonly live?: { readonly at: Date; readonly staleSeconds: number } | null
  readonly parts: readonly Html[]
}): Html {
  const { title, now, className, told, live, parts } = options
  const isStale = live ? (+now - +live.at) / 1000 > live.staleSeconds : false
  return markup`<main id="main" class="${className}" data-title="${title}" data-told="${told}" data-now="${now.toISOString()}" data-snapshot-at="${live?.at.toISOString() ?? ''}" data-stale-seconds="${live?.staleSeconds ?? ''}" data-stale="${isStale ? 'yes' : 'no'}">
${parts}</main>`
}

/** A part by its name, which is unique on its page. */
export function part(name: string, heading: string | null, content: Html, attributes: Html = markup``): Html {
  return markup`<section class="part ${name}" data-part="${name}" ${heading === null ? '' : markup`aria-labelledby="${name}-heading"`} ${attributes}>
${heading === null ? '' : markup`<h2 id="${name}-heading">${heading}</h2>`}
${content}</section>
`
}

/** A table that scrolls inside of its box where it is too wide, so that the page does not. */
export function scrolling(label: string, table: Html): Html {
  return markup`<div class="scroll" role="region" aria-label="${label}" tabindex="0">${table}</div>`
}

/** The frame of every page, and the components that pages share. */
import { markup, type Html } from './format.ts'

const PAGES = [
  { path: '/', name: 'Status' },
  { path: '/live', name: 'Wallboard' },
  { path: '/reports', name: 'Reports' },
] as const

/** A rendered page: title, content, and whether its data is complete. */
export interface View {
  readonly title: string
  /** The page of the navigation that it is, or belongs to. */
  readonly current: (typeof PAGES)[number]['path']
  readonly main: Html
  readonly isComplete: boolean
  /** Of a page that stays as it was read: what its footer says. Absent: page.js keeps the page up to date. */
  readonly footer?: string
}

/**
 * A whole page.
 * @param theme light or dark instead of the browser's preference, for wall screens
 */
export function page({ title, current, main, footer }: View, theme: 'light' | 'dark' | null): Html {
  const query = theme ? `?theme=${theme}` : ''
  const link = ({ path, name }: (typeof PAGES)[number]): Html =>
    markup`<a href="${path}${query}" ${path === current ? markup`aria-current="page"` : ''}>${name}</a>`
  return markup`<!doctype html>
<html lang="en" data-theme="${theme ?? 'auto'}">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="${theme ?? 'light dark'}" />
    <title>${title}</title>
    <link rel="icon" href="/assets/icon.svg" type="image/svg+xml" />
    <link rel="stylesheet" href="/assets/style.css" />
    ${footer === undefined ? REFRESHING_HEAD : REPORT_HEAD}
  </head>
  <body class="${current === '/live' ? 'wall' : 'desk'}">
    <a class="skip" href="#main">Skip to the content</a>
    <header class="top">
      <p class="brand"><span class="mark" aria-hidden="true"></span>genesys-etl</p>
      <nav aria-label="Pages">${PAGES.map(link)}</nav>
      <p class="clock"><time id="clock"></time></p>
    </header>
    ${footer === undefined ? REFRESHING_STATE : ''}
    ${main}
    <footer class="bottom">${footer ?? 'Times are UTC. This page refreshes itself.'}</footer>
  </body>
</html>`
}

const REFRESHING_HEAD = markup`<script type="module" src="/assets/page.js"></script>
    <noscript><meta http-equiv="refresh" content="15" /></noscript>`
const REPORT_HEAD = markup`<link rel="stylesheet" href="/assets/reports.css" />
    <script type="module" src="/assets/reports.js"></script>`
/** What page.js says about itself. */
const REFRESHING_STATE = markup`<p id="announcement" class="unseen" aria-live="polite"></p>
    <p id="offline" class="banner" role="alert" hidden>
      <strong>The service has not answered</strong> since <span id="offline-since"></span> UTC. The data shown is from before
      then; this page keeps trying.
    </p>`

/** The content of a page, which its script replaces part by part as far as it has changed. */
export function mainOf(options: {
  readonly title: string
  readonly now: Date
  readonly className: string
  /** Read out by a screen reader whenever it changes. */
  readonly announcement: string
  /** For live data: the time of the snapshot, and the age from which on it is stale. */
  readonly live?: { readonly at: Date; readonly staleSeconds: number } | null
  readonly parts: readonly Html[]
}): Html {
  const { title, now, className, announcement, live, parts } = options
  const isStale = live ? (+now - +live.at) / 1000 > live.staleSeconds : false
  return markup`<main id="main" class="${className}" data-title="${title}" data-announcement="${announcement}"
  data-now="${now.toISOString()}" data-snapshot-at="${live?.at.toISOString() ?? ''}"
  data-stale-seconds="${live?.staleSeconds ?? ''}" data-stale="${isStale ? 'yes' : 'no'}">
${parts}</main>`
}

/** A part with a visible heading. Its name is unique on its page. */
export function part(name: string, heading: string, content: Html): Html {
  return markup`<section class="part ${name}" data-part="${name}" aria-labelledby="${name}-heading">
<h2 id="${name}-heading">${heading}</h2>
${content}</section>
`
}

/** A part without a visible heading, named only for screen readers. */
export function plainPart(name: string, label: string, content: Html): Html {
  return markup`<section class="part ${name}" data-part="${name}" aria-label="${label}">
${content}</section>
`
}

/** A column of a table. `wide`: not shown on a phone. */
export interface Column {
  readonly heading: Html | string
  readonly className?: string
  /** The direction in which the table is sorted by it. */
  readonly sorted?: 'ascending' | 'descending' | undefined
}

/** A table whose rows are already rendered. It scrolls inside its box if it is too wide, so that the page does not. */
export function table(label: string, columns: readonly Column[], rows: readonly Html[], foot?: Html): Html {
  const headings = columns.map(
    ({ heading, className, sorted }) =>
      markup`<th scope="col" ${className ? markup`class="${className}"` : ''} ${sorted ? markup`aria-sort="${sorted}"` : ''}>${heading}</th>`,
  )
  return markup`<div class="scroll" role="region" aria-label="${label}" tabindex="0"><table>
<thead><tr>${headings}</tr></thead>
<tbody>${rows}</tbody>
${foot ? markup`<tfoot>${foot}</tfoot>` : ''}</table></div>`
}

/**
 * One line for each number of visible rows up to `limit`, about the rows below them. On a wall, page.js shows as many rows as
 * fit and the line that belongs to them; the last line is visible first.
 */
export function omitted(limit: number, all: number, line: (shown: number) => Html): Html {
  const shownCounts = Array.from({ length: Math.min(limit, all - 1) }, (_, index) => index + 1)
  const paragraph = (shown: number): Html =>
    markup`<p class="quiet more" data-after="${shown}" ${shown === limit ? '' : markup`hidden`}>${line(shown)}</p>`
  return markup`${shownCounts.map(paragraph)}`
}

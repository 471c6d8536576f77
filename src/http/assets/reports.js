/* global document, history, location */
/** Comforts of the report pages, which work without them too: a table that sorts at once, and filters that apply when chosen. */

const main = document.getElementById('main')
const collator = new Intl.Collator('en', { numeric: true })

/** The text or the number of a cell; null: it has no value. */
function valueOf(row, column) {
  const { value = '' } = row.cells[column].dataset
  if (column === 0) return value
  return value === '' ? null : Number(value)
}

/** The order of the server: without a value last, equal ones by name. */
function compare(column, sign) {
  const byName = (a, b) => collator.compare(valueOf(a, 0), valueOf(b, 0))
  return (a, b) => {
    if (column === 0) return sign * byName(a, b)
    const [left, right] = [valueOf(a, column), valueOf(b, column)]
    if (left === null || right === null) return Number(left === null) - Number(right === null) || byName(a, b)
    return sign * (left - right) || byName(a, b)
  }
}

/** Sorts the rows, and has the address and every link that goes on with it say so. */
function sort(link) {
  const heading = link.closest('th')
  const table = heading.closest('table')
  const by = link.dataset.sort
  const isDescending = heading.ariaSort === null ? by !== 'name' : heading.ariaSort !== 'descending'
  const rows = [...table.tBodies[0].rows].sort(compare(heading.cellIndex, isDescending ? -1 : 1))
  table.tBodies[0].replaceChildren(...rows)
  for (const other of table.querySelectorAll('thead th')) {
    other.removeAttribute('aria-sort')
    other.querySelector('.arrow')?.remove()
  }
  heading.ariaSort = isDescending ? 'descending' : 'ascending'
  const arrow = document.createElement('span')
  arrow.className = 'arrow'
  arrow.ariaHidden = 'true'
  arrow.textContent = isDescending ? '▼' : '▲'
  link.append(arrow)
  keep(`${isDescending ? '-' : ''}${by}`)
}

function keep(order) {
  const sorted = (address) => {
    const url = new URL(address, location.origin + location.pathname)
    url.searchParams.set('sort', order)
    return url.pathname + url.search
  }
  history.replaceState(null, '', sorted(location.pathname + location.search))
  const by = new URLSearchParams(location.search).get('by')
  for (const link of main.querySelectorAll('a[data-keeps-sort]')) {
    const address = link.getAttribute('href')
    // another grouping has other columns
    if (new URL(address, location.origin).searchParams.get('by') === by) link.setAttribute('href', sorted(address))
  }
  for (const form of main.querySelectorAll('form')) {
    const field = form.elements.namedItem('sort') ?? document.createElement('input')
    Object.assign(field, { type: 'hidden', name: 'sort', value: order })
    form.append(field)
  }
}

main.addEventListener('click', (event) => {
  const link = event.target.closest('a[data-sort]')
  // with a key the browser opens another window
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return
  event.preventDefault()
  sort(link)
})

main.addEventListener('change', (event) => {
  if (event.target.matches('select')) event.target.form.requestSubmit()
})

/** What commands show: text for people, JSON for programs, both on stdout. */

/** Where a command writes, and in which form. */
export interface Output {
  readonly json: boolean
  /** Writes a line for people; nothing in JSON mode. */
  line(text?: string): void
  /** Writes the command's answer in JSON mode; nothing otherwise. */
  data(value: unknown): void
}

/** An output on `stream`. */
export function createOutput(stream: NodeJS.WritableStream, json: boolean): Output {
  const plain = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? Number(value) : value)
  return {
    json,
    line(text = '') {
      if (!json) stream.write(`${text}\n`)
    },
    data(value) {
      if (json) stream.write(`${JSON.stringify(value, plain, 2)}\n`)
    },
  }
}

type Cell = string | number | null

/** Rows as aligned columns under a header: numbers to the right, everything else to the left. */
export function table(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const texts = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? formatNumber(cell) : (cell ?? '–'))))
  const widths = header.map((title, column) => Math.max(title.length, ...texts.map((row) => row[column]?.length ?? 0)))
  const isNumeric = header.map((_, column) => rows.length > 0 && rows.every((row) => typeof row[column] !== 'string'))
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) =>
        isNumeric[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd()
  return [line(header), line(widths.map((width) => '─'.repeat(width))), ...texts.map(line)].join('\n')
}

/** 12,345.6: with separators and at most one decimal. */
export function formatNumber(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 1 })
}

/** `1 window`, `2,000 windows`. */
export function formatCount(number: number, noun: string): string {
  return `${formatNumber(number)} ${noun}${number === 1 ? '' : 's'}`
}

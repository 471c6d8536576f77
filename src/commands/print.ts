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
  return {
    json,
    line(text = '') {
      if (!json) stream.write(`${text}\n`)
    },
    data(value) {
      if (json)
        stream.write(
          `${JSON.stringify(value, (_key, entry: unknown) => (typeof entry === 'bigint' ? Number(entry) : entry), 2)}\n`,
        )
    },
  }
}

type Cell = string | number | null

/** Rows as aligned columns under a header; numbers stand right, everything else left. */
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

/** 12 345.6: thousands apart, so that counts can be read. */
export function formatNumber(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 1 })
}

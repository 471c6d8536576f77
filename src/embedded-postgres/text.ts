import { readFileSync } from 'node:fs'

/** The text of a file; empty if it cannot be read. */
export function readIfPresent(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** The last three lines, for an error message. */
export function lastLines(text: string): string {
  return text.trim().split('\n').slice(-3).join(' | ')
}

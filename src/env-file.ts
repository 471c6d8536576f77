/** The file .env: read like Node reads it, but for what people and editors put there that Node misreads. */
import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { ConfigError } from './errors.ts'

/**
 * Adds the variables of a file to an environment, whose own variables win. No file is no problem.
 * @throws ConfigError where the file cannot be read
 */
export function loadEnvFile(file: string, env: NodeJS.ProcessEnv): void {
  const text = readText(file)
  if (text === null) return
  for (const [name, value] of Object.entries(parseEnvText(text))) env[name] ??= value
}

function readText(file: string): string | null {
  try {
    const bytes = readFileSync(file)
    // PowerShell's redirections write UTF-16
    return bytes[0] === 0xff && bytes[1] === 0xfe ? bytes.toString('utf16le') : bytes.toString('utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return null
    throw new ConfigError(
      `${file} cannot be read (${code ?? 'unknown error'})`,
      'It must be a text file with lines of NAME=value; .env.example shows all names.',
    )
  }
}

const UNQUOTED = /^(\s*(?:export\s+)?[A-Za-z_]\w*\s*=\s*)([^\s'"`#].*)$/

/**
 * The variables of a text in the format of .env. A byte order mark is skipped. As in Docker's files, # begins a comment only at the
 * start of a value or after a blank, so that an unquoted password may hold one. Pure.
 */
export function parseEnvText(text: string): Readonly<Record<string, string>> {
  const lines = text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .map((line) => {
      const [, start, rest = ''] = UNQUOTED.exec(line) ?? []
      const value = rest.replace(/\s+#.*$/, '')
      if (start === undefined || !value.includes('#')) return line
      const quote = ["'", '`', '"'].find((mark) => !value.includes(mark))
      return quote === undefined ? line : `${start}${quote}${value.trimEnd()}${quote}`
    })
  return parseEnv(lines.join('\n')) as Record<string, string>
}

/** A terminal that shows log lines and, below them, one line of progress that is rewritten in place. */
import { Writable } from 'node:stream'

/** Where people watch a command: its log and its progress share the screen. */
export interface Terminal {
  /** For the logger: turns pino's JSON lines into readable ones, above the line of progress. */
  readonly logStream: NodeJS.WritableStream
  /** Shows the line of progress, or replaces it. */
  showProgress(line: string): void
  /** Leaves the line of progress where it is; what follows begins below it. */
  endProgress(): void
}

const CLEAR_LINE = '\r\u001B[2K'

/** A terminal on a stream, which is one. A line of progress is cut at its width, since a wrapped one cannot be rewritten. */
export function createTerminal(stream: Pick<NodeJS.WriteStream, 'write' | 'columns'>): Terminal {
  let progress: string | null = null
  const draw = (): void => {
    if (progress !== null) stream.write(`${CLEAR_LINE}${progress.slice(0, (stream.columns || 80) - 1)}`)
  }
  const logStream = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      if (progress !== null) stream.write(CLEAR_LINE)
      for (const line of chunk.split('\n').filter(Boolean)) stream.write(`${readableLine(line)}\n`)
      draw()
      done()
    },
  })
  return {
    logStream,
    showProgress(line) {
      progress = line
      draw()
    },
    endProgress() {
      if (progress !== null) stream.write('\n')
      progress = null
    },
  }
}

interface LoggedError {
  readonly message?: string
  readonly code?: string
  readonly hint?: string
  readonly stack?: string
}

/** Fields that stand at fixed places of the line, or are the same in all lines. */
const PLACED = new Set(['level', 'time', 'service', 'msg', 'err', 'pid', 'hostname'])

/**
 * One of pino's JSON lines as people read it: `07:15:02Z warn  scheduled run failed  job=sync`, and the error, if there is one,
 * below it. What is no JSON object comes back as it is.
 */
function readableLine(json: string): string {
  const entry = parse(json)
  if (entry === null) return json
  const time = textOf(entry['time']).slice(11, 19)
  const level = textOf(entry['level']).padEnd(5)
  const fields = Object.entries(entry)
    .filter(([name]) => !PLACED.has(name))
    .map(([name, value]) => `${name}=${fieldText(value)}`)
  const first = [`${time}Z ${level} ${textOf(entry['msg'])}`, ...fields].join('  ')
  const error = entry['err']
  return typeof error === 'object' && error !== null ? `${first}\n${errorText(error)}` : first
}

function parse(json: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** A value without quotes where it has no blanks. */
function fieldText(value: unknown): string {
  return typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)
}

/** An error of ours by message and hint; any other one with its stack. */
function errorText({ message = '', code, hint, stack }: LoggedError): string {
  const isKnown = code !== undefined
  const lines = isKnown ? [`${message} (${code})`, ...(hint ? [hint] : [])] : [stack ?? message]
  return lines
    .join('\n')
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n')
}

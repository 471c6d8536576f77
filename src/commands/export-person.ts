import { open, rm } from 'node:fs/promises'
import { openApp, type App } from '../app.ts'
import { ConfigError } from '../errors.ts'
import { requireCurrentSchema } from '../postgres/migrate.ts'
import { exportPerson } from '../privacy/export-person.ts'
import { findPerson, type PersonKeys } from '../privacy/find-person.ts'
import { type CommandContext } from './context.ts'
import { personKeys, printRetention, type PersonOptions } from './person-options.ts'
import { formatCount } from './print.ts'

interface ExportOptions extends PersonOptions {
  /** Where to write; absent: to standard output. */
  readonly output?: string | undefined
}

/**
 * `export-person`: writes what is stored about a person as JSON, `{ "conversations": [ids], "stored": [parts] }`, to a file that only its owner
 * can read, or to standard output.
 */
export async function exportPersonAsJson(
  options: ExportOptions,
  { env, output, signal }: CommandContext,
): Promise<void> {
  const { kind, keys } = personKeys(options)
  await using app = await openApp(env, { database: true })
  await requireCurrentSchema(app.warehouse.db)
  if (options.output === undefined) {
    await writeExport(app, keys, signal, async (text) => void process.stdout.write(text))
    return
  }
  // before the search, which may take long
  await using file = await create(options.output)
  const write = async (text: string): Promise<void> => void (await file.write(text))
  try {
    const { parts, conversations } = await writeExport(app, keys, signal, write)
    output.line(`Wrote ${formatCount(parts, 'part')} of ${formatCount(conversations, 'conversation')}.`)
    await printRetention(app.warehouse, kind, output)
  } catch (error) {
    await rm(options.output, { force: true })
    throw error
  }
}

async function writeExport(
  { warehouse }: App,
  keys: PersonKeys,
  signal: AbortSignal,
  write: (text: string) => Promise<void>,
): Promise<{ readonly parts: number; readonly conversations: number }> {
  const traces = await findPerson(warehouse, keys, signal)
  await write(`{"conversations": ${JSON.stringify([...traces.conversationIds].sort())},\n"stored": [`)
  let parts = 0
  for await (const part of exportPerson(warehouse.db, traces, signal)) {
    await write(`${parts === 0 ? '' : ','}\n${JSON.stringify(part)}`)
    parts++
  }
  await write('\n]}\n')
  return { parts, conversations: traces.conversationIds.size }
}

const REASONS: Readonly<Record<string, string>> = {
  EEXIST: 'it is there already',
  EISDIR: 'it is a folder',
  ENOENT: 'its folder does not exist',
  EACCES: 'this user may not write there',
}

/** @throws ConfigError where the file is there already, or cannot be made */
async function create(path: string) {
  try {
    return await open(path, 'wx', 0o600)
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException
    throw new ConfigError(
      `--output cannot be created: ${REASONS[code] ?? code}`,
      'Name a file that does not exist yet, in a folder that does.',
    )
  }
}

import { open } from 'node:fs/promises'
import { openApp } from '../app.ts'
import { ConfigError } from '../errors.ts'
import { requireCurrentSchema } from '../postgres/migrate.ts'
import { exportPerson } from '../privacy/export-person.ts'
import { findPerson } from '../privacy/find-person.ts'
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
  const { warehouse } = app
  await requireCurrentSchema(warehouse.db)
  const traces = await findPerson(warehouse, keys, signal)
  await using file = options.output === undefined ? null : await create(options.output)
  const write = async (text: string): Promise<void> => {
    if (file) await file.write(text)
    else process.stdout.write(text)
  }
  await write(`{"conversations": ${JSON.stringify([...traces.conversationIds].sort())},\n"stored": [`)
  let parts = 0
  for await (const part of exportPerson(warehouse.db, traces, signal)) {
    await write(`${parts === 0 ? '' : ','}\n${JSON.stringify(part)}`)
    parts++
  }
  await write('\n]}\n')
  if (!file) return
  output.line(`Wrote ${formatCount(parts, 'part')} of ${formatCount(traces.conversationIds.size, 'conversation')}.`)
  await printRetention(warehouse, kind, output)
}

/** @throws ConfigError where the file is there already, or cannot be made */
async function create(path: string) {
  try {
    return await open(path, 'wx', 0o600)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new ConfigError(
      `--output cannot be created (${code ?? 'unknown error'})`,
      'Name a file that does not exist yet.',
    )
  }
}

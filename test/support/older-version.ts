import { cpSync, mkdtempSync, appendFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import type * as ContentHash from '../../src/model/content-hash.ts'
import type * as Connect from '../../src/postgres/connect.ts'
import type * as Load from '../../src/loader/load.ts'

interface OlderVersion extends Disposable {
  readonly contentHash: (typeof ContentHash)['contentHash']
  readonly connect: (typeof Connect)['connect']
  readonly loadBatch: (typeof Load)['loadBatch']
}

const root = path.join(import.meta.dirname, '..', '..')

/** Loads a copy of the sources whose model lacks some fields, as an older version did. */
export async function versionWithout(fields: Readonly<Record<string, readonly string[]>>): Promise<OlderVersion> {
  const folder = mkdtempSync(path.join(tmpdir(), 'older-version-'))
  cpSync(path.join(root, 'src'), path.join(folder, 'src'), { recursive: true })
  cpSync(path.join(root, 'package.json'), path.join(folder, 'package.json'))
  symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'))
  // runs before any module that derives something from the model
  appendFileSync(
    path.join(folder, 'src', 'model', 'model.ts'),
    Object.entries(fields)
      .flatMap(([table, names]) => names.map((name) => `\ndelete (model.${table}.fields as any).${name}`))
      .join(''),
  )
  const load = async (file: string): Promise<object> =>
    (await import(/* @vite-ignore */ pathToFileURL(path.join(folder, 'src', file)).href)) as object
  return {
    ...((await load('model/content-hash.ts')) as typeof ContentHash),
    ...((await load('postgres/connect.ts')) as typeof Connect),
    ...((await load('loader/load.ts')) as typeof Load),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}

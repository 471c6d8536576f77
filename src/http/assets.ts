/** The files of ours that the pages load: one script, one style sheet, one icon. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'

export interface Asset {
  readonly body: string
  readonly contentType: string
  readonly etag: string
}

const folder = path.join(import.meta.dirname, 'assets')

/** By file name. */
export const assets: ReadonlyMap<string, Asset> = new Map([
  readAsset('page.js', 'text/javascript; charset=utf-8'),
  readAsset('style.css', 'text/css; charset=utf-8'),
  readAsset('icon.svg', 'image/svg+xml'),
])

function readAsset(name: string, contentType: string): [string, Asset] {
  const body = readFileSync(path.join(folder, name), 'utf8')
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 16)}"`
  return [name, { body, contentType, etag }]
}

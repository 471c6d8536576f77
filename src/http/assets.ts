/** The static files of the pages. */
import { readFileSync } from 'node:fs'
import path from 'node:path'

const FOLDER = path.join(import.meta.dirname, 'assets')

/** Name, media type and content of each file, read once: a request reads nothing from the disk. */
export const assets = [
  readAsset('page.js', 'text/javascript; charset=utf-8'),
  readAsset('clock.js', 'text/javascript; charset=utf-8'),
  readAsset('reports.js', 'text/javascript; charset=utf-8'),
  readAsset('style.css', 'text/css; charset=utf-8'),
  readAsset('reports.css', 'text/css; charset=utf-8'),
  readAsset('icon.svg', 'image/svg+xml'),
]

function readAsset(name: string, contentType: string) {
  return { name, contentType, body: readFileSync(path.join(FOLDER, name), 'utf8') }
}

import { existsSync } from 'node:fs'
import { chromium, type Browser } from 'playwright-core'

const EXECUTABLE = process.env['CHROMIUM'] ?? '/usr/bin/chromium'

/** Why browser tests are skipped; null: they run. */
export const noBrowser = existsSync(EXECUTABLE)
  ? null
  : `there is no Chromium at ${EXECUTABLE} (apt-get install chromium)`

if (noBrowser) process.stderr.write(`Browser tests are skipped: ${noBrowser}\n`)

/** Debian's Chromium, without a window and without any traffic of its own. */
export async function launchBrowser(): Promise<Browser> {
  return await chromium.launch({
    executablePath: EXECUTABLE,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}

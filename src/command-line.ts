/**
 * How this process is started by name: `genesys-etl` where it is installed (the npm package, which has compiled JavaScript, or the
 * image, which has a link of that name); in a checkout npm is needed, which finds the right Node.
 */
export function programName(moduleUrl: string, script: string | undefined): 'genesys-etl' | 'npm run etl --' {
  const isInstalled = moduleUrl.endsWith('.js') || /(^|[/\\])genesys-etl$/.test(script ?? '')
  return isInstalled ? 'genesys-etl' : 'npm run etl --'
}

const PROGRAM = programName(import.meta.url, process.argv[1])

/** A command as it is typed here, for hints: `commandLine('migrate down')` is `npm run etl -- migrate down` in a checkout. */
export function commandLine(command: string): string {
  return `${PROGRAM} ${command}`
}

#!/usr/bin/env -S node --max-semi-space-size=16
// Plain JavaScript that old Node versions can parse, so that they get a sentence instead of a loader's stack trace.
const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 24 || (major === 24 && minor < 5)) {
  process.stderr.write(
    `genesys-etl needs Node 24.5 or newer, found ${process.versions.node}.\n` +
      'In a checkout run it as `npm run etl -- COMMAND` (npm ci brings the right Node on Linux), or use the Docker image.\n',
  )
  process.exit(78)
}
// First, so that the garbage collector is set up before there is any garbage.
await import('../src/heap.ts')
await import('../src/cli.ts')

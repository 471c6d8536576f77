#!/usr/bin/env -S node --max-semi-space-size=16
// Plain JavaScript that old Node versions can parse, so that they print a sentence instead of a loader's stack trace.
import { existsSync } from 'node:fs'

// A checkout runs the TypeScript sources (type stripping without a warning: 24.5); an installed package has only the compiled
// JavaScript, which needs http.Agent's proxyEnv (22.21).
const isCheckout = existsSync(new URL('../src/cli.ts', import.meta.url))
const needed = isCheckout ? [24, 5] : [22, 21]
const [major, minor] = process.versions.node.split('.').map(Number)
if (major < needed[0] || (major === needed[0] && minor < needed[1])) {
  process.stderr.write(
    `genesys-etl needs Node ${needed.join('.')} or newer, found ${process.versions.node}.\n` +
      (isCheckout
        ? 'In a checkout run it as `npm run etl -- COMMAND` (npm ci brings the right Node on Linux), or use the Docker image.\n'
        : 'Install a newer Node (https://nodejs.org), or use the Docker image.\n'),
  )
  process.exit(78)
}
const source = isCheckout ? ['../src/', '.ts'] : ['../dist/src/', '.js']
// First, so that the garbage collector is set up before there is any garbage.
await import(source.join('heap'))
await import(source.join('cli'))

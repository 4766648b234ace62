import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { openStore } from '../../../features/store/connection.ts'
import { type Compiled, compile } from '../../support/compiled.ts'
import { ndjson, roleArn, tampering, trails } from '../../support/service.ts'

/** The program itself, in processes of its own. */
const root = mkdtempSync(join(tmpdir(), 'plumbline-serve-'))
let compiled: Compiled
beforeAll(() => {
  const catalogues = ['ingest/sources/cloudtrail.ts', 'detectors/catalog/audit-trail-tampering.ts']
  compiled = compile(['api/cli/main.ts', ...catalogues])
})
afterAll(() => {
  compiled.remove()
  rmSync(root, { recursive: true, force: true })
})

interface Running {
  readonly child: ChildProcess
  readonly address: string
  readonly errors: () => string
  readonly exited: Promise<unknown[]>
}

function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [compiled.module('api/cli/main.ts'), 'serve', ...args], {
    env: { PATH: process.env.PATH ?? '', PLUMBLINE_LOG_LEVEL: 'info', PLUMBLINE_PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  return { child, exited: once(child, 'exit'), out: () => out, errors: () => errors }
}

async function serve(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Running> {
  const { child, exited, out, errors } = run(args, env)
  await expect
    .poll(() => out().includes('listens on') || child.exitCode !== null, { timeout: 20_000 })
    .toBe(true)
  const address = /listens on (\S+)/.exec(out())?.[1]
  if (address === undefined) throw new Error(`It did not start: ${errors()}`)
  return { child, address, errors, exited }
}

const ingest = (address: string, body: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${address}/v1/ingest/cloudtrail`, { method: 'POST', body, headers })

describe('serve', () => {
  it('has stored what it answered for, though it is killed at that moment', async () => {
    const data = join(root, 'killed')
    let sent = 0
    for (let cycle = 0; cycle < 2; cycle++) {
      const { address, child, exited } = await serve(['--data', data])
      const answer = await ingest(address, ndjson([...trails(`c${cycle}`, 500), tampering(`t${cycle}`)]))
      child.kill('SIGKILL')
      expect(answer.status).toBe(200)
      expect(await exited).toEqual([null, 'SIGKILL'])
      sent += 501
    }
    const store = await openStore({ path: data })
    try {
      const summaries = await Promise.all(
        [roleArn(), roleArn('intruder')].map((id) => store.analyst.identity(id)),
      )
      expect(summaries.reduce((sum, s) => sum + (s?.events ?? 0), 0)).toBe(sent)
      expect((await store.analyst.alerts({ limit: 10 })).items).toHaveLength(1)
      expect(await store.checkRebuild()).toEqual([])
    } finally {
      await store.close()
    }
  })

  it('watches folders, writes findings, and finishes what it accepted when it is told to stop', async () => {
    const logs = join(root, 'logs')
    mkdirSync(logs)
    const findings = join(root, 'findings.ndjson')
    const args = [
      '--data',
      join(root, 'watched'),
      '--watch',
      logs,
      '--watch-every',
      '0.1',
      '--alerts',
      findings,
    ]
    const { address, child, exited, errors } = await serve(args)
    appendFileSync(join(logs, 'trail.log'), ndjson([...trails('w', 20), tampering('t')]))
    const alerts = async (): Promise<number> => {
      const answer = await fetch(`${address}/v1/alerts`)
      return z.object({ items: z.array(z.unknown()) }).parse(await answer.json()).items.length
    }
    await expect.poll(alerts, { timeout: 10_000 }).toBe(1)
    // Half a request is under way; the other half comes after the signal.
    const { host, port } = new URL(address)
    const body = ndjson(trails('late', 50))
    const socket = connect(Number(port), '127.0.0.1')
    let answer = ''
    socket.setEncoding('utf8').on('data', (text: string) => {
      answer += text
    })
    const closed = once(socket, 'close')
    socket.write(
      `POST /v1/ingest/auto HTTP/1.1\r\nhost: ${host}\r\ncontent-length: ${body.length}\r\n\r\n${body.slice(0, 5000)}`,
    )
    const metrics = async (): Promise<string> => (await fetch(`${address}/metrics`)).text()
    expect(await metrics()).toContain('plumbline_conservation_violations_total 0')
    child.kill('SIGTERM')
    await expect.poll(() => errors().includes('stopping')).toBe(true)
    socket.write(body.slice(5000))
    await closed
    expect(answer).toMatch(/^HTTP\/1\.1 200 .*"scored":50/s)
    expect(await exited).toEqual([0, null])
    const lines = readFileSync(findings, 'utf8').trimEnd().split('\n')
    expect(lines.map((line) => JSON.parse(line).class_uid)).toEqual([2004])
    for (const line of errors().trimEnd().split('\n')) expect(() => JSON.parse(line)).not.toThrow()
  })

  it('needs a token on addresses that others can reach, and keeps it out of its log', async () => {
    const token = 'correct-horse-battery-staple'
    const open = run(['--data', join(root, 'open'), '--host', '0.0.0.0'])
    expect(await open.exited).toEqual([2, null])
    expect(open.errors()).toMatch(/^plumbline: token-required: .*PLUMBLINE_TOKEN/)
    const { address, child, exited, errors } = await serve(
      ['--data', join(root, 'token'), '--host', '0.0.0.0'],
      {
        PLUMBLINE_TOKEN: token,
        PLUMBLINE_LOG_LEVEL: 'trace',
      },
    )
    const local = address.replace('0.0.0.0', '127.0.0.1')
    expect((await ingest(local, '{}')).status).toBe(401)
    expect((await ingest(local, '{}', { authorization: `Bearer ${token}` })).status).toBe(200)
    child.kill('SIGINT')
    expect(await exited).toEqual([0, null])
    expect(errors()).toContain('"status":401')
    expect(errors()).not.toContain(token)
  })

  it.each([
    [['--watch', join(root, 'nowhere')], 'watch-not-a-folder'],
    [['--watch', root], 'watch-loop'],
    [['--watch-every', 'often'], 'invalid-option'],
    [['--port', '99999'], 'invalid-config'],
  ])('refuses %j: %s', async (args, code) => {
    const { exited, errors } = run(['--data', join(root, 'refused'), ...args])
    expect(await exited).toEqual([2, null])
    expect(errors()).toContain(`plumbline: ${code}: `)
  })
})

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { StoreError } from './store-error.ts'

/**
 * Who has the data directory open. The engine's own file lock decides; this file only lets the refusal name the other
 * process, because the engine tells JavaScript nothing but "failed to create connection".
 */
const Holder = z.object({ pid: z.number().int().positive(), host: z.string(), born: z.string() })
type Holder = z.infer<typeof Holder>

const fileOf = (path: string): string => join(path, 'plumbline.pid')

/** Throws `store-locked` when a living process of this machine holds the directory. A stale file is ignored. */
export function refuseIfHeld(path: string): void {
  const holder = readHolder(path)
  if (holder === undefined || holder.pid === process.pid || holder.host !== hostname()) return
  if (isAlive(holder)) throw lockedError(path)
}

/** The error for a directory that the engine would not open because someone else has it. */
export function lockedError(path: string, cause?: unknown): StoreError {
  const holder = readHolder(path)
  const who =
    holder === undefined || holder.pid === process.pid
      ? 'another process'
      : `process ${holder.pid}${holder.host === hostname() ? '' : ` on host ${holder.host}`}`
  return new StoreError(
    'store-locked',
    `${path} is in use by ${who}. One process at a time can open an embedded store: stop the other one, ` +
      'choose another data directory, or point CLICKHOUSE_URL at a server.',
    cause,
  )
}

/** Records this process as the holder, once the engine has let it in. */
export function markHeld(path: string): void {
  const holder: Holder = { pid: process.pid, host: hostname(), born: bornOf(process.pid) }
  // Written beside and renamed: a reader never sees half a file.
  const draft = `${fileOf(path)}.${process.pid}`
  writeFileSync(draft, JSON.stringify(holder))
  renameSync(draft, fileOf(path))
}

export function unmarkHeld(path: string): void {
  if (readHolder(path)?.pid === process.pid) rmSync(fileOf(path), { force: true })
}

function readHolder(path: string): Holder | undefined {
  try {
    return Holder.safeParse(JSON.parse(readFileSync(fileOf(path), 'utf8'))).data
  } catch {
    return undefined
  }
}

function isAlive(holder: Holder): boolean {
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    // EPERM: it lives, under another user.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
  // The number may have been given to a new process since: then the birth differs.
  return holder.born === '' || bornOf(holder.pid) === holder.born
}

/** Start time of a process in clock ticks since boot (Linux), '' elsewhere. */
function bornOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name in parentheses may hold spaces: count fields after the last one. Field 22 is the start time.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // A zombie holds nothing any more; in a container nobody may ever reap it.
    return fields[0] === 'Z' ? 'dead' : (fields[19] ?? '')
  } catch {
    return ''
  }
}

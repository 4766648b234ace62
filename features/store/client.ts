import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { isMainThread } from 'node:worker_threads'
import { type ClickHouseClient, ClickHouseLogLevel, createClient } from '@clickhouse/client'
import type { ChdbConnection } from 'chdb/connection'
import { lockedError, markHeld, refuseIfHeld, unmarkHeld } from './lock.ts'
import { Session } from './session.ts'
import { reasonOf, StoreError } from './store-error.ts'

export interface Target {
  /** Directory of the embedded engine; ignored when `url` is given. */
  readonly path?: string | undefined
  /** `http(s)://host:port` of a ClickHouse server. */
  readonly url?: string | undefined
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly database?: string | undefined
}

/** The embedded engine or a server, opened: as many sessions as asked for, all in one database. */
export interface Engine {
  readonly sessions: readonly Session[]
  /** Closes what is not a session: the mark that says who holds the directory. */
  readonly release: () => Promise<void>
}

const DEFAULT_DATABASE = 'plumbline'
const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/
/** A look-up of 10 000 uids is a statement of megabytes; the engine refuses more than 256 KiB unless told. */
const MAX_QUERY_SIZE = 268_435_456

export async function openEngine(target: Target, sessions: number): Promise<Engine> {
  const database = target.database ?? DEFAULT_DATABASE
  if (!NAME.test(database))
    throw new StoreError('store-unreachable', `${JSON.stringify(database)} is no database name.`)
  return target.url === undefined || target.url === ''
    ? openEmbedded(resolve(target.path ?? 'data'), database, sessions)
    : openServer(target, target.url, database, sessions)
}

async function openServer(target: Target, url: string, database: string, sessions: number): Promise<Engine> {
  const connect = (into: string | undefined): ClickHouseClient =>
    createClient({
      url,
      ...(target.username === undefined ? {} : { username: target.username }),
      ...(target.password === undefined ? {} : { password: target.password }),
      ...(into === undefined ? {} : { database: into }),
      request_timeout: 300_000,
      // Every failure is thrown as a StoreError; the client's own lines would go past our logger.
      log: { level: ClickHouseLogLevel.OFF },
      // Per request on a server; the embedded engine gets the same by SET, once, for the life of its connection.
      clickhouse_settings: {
        max_query_size: String(MAX_QUERY_SIZE),
        output_format_json_quote_64bit_integers: 0,
      },
    })
  const first = connect(undefined)
  try {
    await first.command({ query: `CREATE DATABASE IF NOT EXISTS ${database}` })
  } catch (error) {
    throw new StoreError('store-unreachable', `ClickHouse at ${hostOf(url)}: ${reasonOf(error)}`, error)
  } finally {
    await first.close()
  }
  return {
    sessions: Array.from({ length: sessions }, () => new Session(connect(database))),
    release: async () => undefined,
  }
}

/** The address without credentials that someone may have put into it. */
function hostOf(url: string): string {
  try {
    return new URL(url).host
  } catch {
    return 'the given address'
  }
}

type EmbeddedConnection = NonNullable<NonNullable<Parameters<typeof createClient>[0]>['connection']>

/** Databases of directories open in this process: a second writer of the same one would number activities twice. */
const open = new Map<string, Set<string>>()

async function openEmbedded(path: string, database: string, sessions: number): Promise<Engine> {
  if (!isMainThread) {
    // It works there until the thread ends, and then takes the process down (limits.md (c)).
    throw new StoreError('store-wrong-thread', 'The embedded store runs on the main thread only.')
  }
  const { createChdbConnection } = await importEngine()
  prepareDirectory(path)
  refuseIfHeld(path)
  const inUse = open.get(path) ?? new Set<string>()
  if (inUse.has(database)) throw new StoreError('store-locked', `${path} is already open in this process.`)

  const clients: ClickHouseClient[] = []
  try {
    for (let index = 0; index < sessions; index++) {
      const client = createClient({
        connection: bare(createChdbConnection({ path })),
        log: { level: ClickHouseLogLevel.OFF },
      })
      clients.push(client)
      await client.command({ query: `CREATE DATABASE IF NOT EXISTS ${database}` })
      await client.command({ query: `USE ${database}` })
      await client.command({
        query: `SET max_query_size = ${MAX_QUERY_SIZE}, output_format_json_quote_64bit_integers = 0`,
      })
    }
  } catch (error) {
    for (const client of clients) await client.close()
    if (isConnectionError(error)) {
      const other = [...open.keys()].find((directory) => directory !== path)
      if (other !== undefined) {
        throw new StoreError(
          'store-locked',
          `One directory per process: ${other} is open, so ${path} cannot be.`,
          error,
        )
      }
      throw lockedError(path, error)
    }
    throw new StoreError('store-unwritable', `${path} cannot be opened: ${reasonOf(error)}`, error)
  }
  open.set(path, inUse.add(database))
  markHeld(path)
  return {
    sessions: clients.map((client) => new Session(client)),
    release: async () => {
      inUse.delete(database)
      if (inUse.size > 0) return
      open.delete(path)
      unmarkHeld(path)
      const { drainPending } = await import('chdb')
      await drainPending()
    },
  }
}

/**
 * The engine's connection, given nothing but SQL: settings passed to it would stay set for all later statements
 * (limits.md (c)), and bound parameters would queue behind each other.
 */
export function bare(connection: ChdbConnection): EmbeddedConnection {
  return {
    query: ({ query }) => connection.query({ query }),
    exec: ({ query }) => connection.exec({ query }),
    command: ({ query }) => connection.command({ query }),
    insert: ({ query, values }) => connection.insert({ query, values }),
    ping: () => connection.ping({ select: true }),
    close: () => connection.close(),
  }
}

async function importEngine(): Promise<typeof import('chdb/connection')> {
  try {
    return await import('chdb/connection')
  } catch (error) {
    throw new StoreError(
      'store-engine-missing',
      'The embedded ClickHouse engine is not installed: run `npm install chdb` (Linux with glibc, or macOS), ' +
        'or set CLICKHOUSE_URL to a ClickHouse server.',
      error,
    )
  }
}

function isConnectionError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'CHDB_CONNECTION'
}

/** The engine says the same of a directory it may not write as of one in use, so writing is tried first. */
function prepareDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true })
    const probe = join(path, `plumbline.probe.${process.pid}`)
    writeFileSync(probe, 'ok')
    rmSync(probe)
  } catch (error) {
    throw new StoreError('store-unwritable', `${path} cannot be written: ${reasonOf(error)}`, error)
  }
}

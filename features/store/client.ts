import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { isMainThread } from 'node:worker_threads'
import { type ClickHouseClient, ClickHouseLogLevel, createClient } from '@clickhouse/client'
import type { ChdbConnection } from 'chdb/connection'
import { lockedError, markHeld, refuseIfHeld, unmarkHeld } from './lock.ts'
import { Session } from './session.ts'
import { Spool } from './spool.ts'
import { literal } from './sql.ts'
import { reasonOf, StoreError } from './store-error.ts'

export interface Target {
  /** Directory of the embedded engine; ignored when `url` is given. */
  readonly path?: string | undefined
  /** `http(s)://host:port` of a ClickHouse server. */
  readonly url?: string | undefined
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly database?: string | undefined
  /** Milliseconds of silence after which a server is given up; default five minutes, for the statements of a rebuild. */
  readonly requestTimeout?: number | undefined
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
/** How an INSERT ends whose data are a Native block; the embedded engine reads them from a file. */
const NATIVE = 'FORMAT Native'
const REQUEST_TIMEOUT_MS = 300_000
const IDLE_SOCKET_MS = 1500

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
      request_timeout: target.requestTimeout ?? REQUEST_TIMEOUT_MS,
      // Shorter than any server keeps an idle connection (3 s before 23.11); by the clock too, because timers are late when
      // the event loop is busy.
      keep_alive: { idle_socket_ttl: IDLE_SOCKET_MS, eagerly_destroy_stale_sockets: true },
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
/** One for each directory open in this process: making one empties its folder. */
const spools = new Map<string, Spool>()

function spoolIn(path: string): Spool {
  const spool = spools.get(path) ?? new Spool(path)
  spools.set(path, spool)
  return spool
}

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
  // Taken before anything is awaited: another call would find it free until then.
  open.set(path, inUse.add(database))
  const giveBack = (): void => {
    inUse.delete(database)
    if (inUse.size === 0) open.delete(path)
  }

  const clients: ClickHouseClient[] = []
  try {
    for (let index = 0; index < sessions; index++) {
      // Once this went through, the directory is ours, and what is in its spool nobody's.
      const connection = createChdbConnection({ path })
      const client = createClient({
        connection: bare(connection, spoolIn(path)),
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
    giveBack()
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
  markHeld(path)
  return {
    sessions: clients.map((client) => new Session(client)),
    release: async () => {
      giveBack()
      if (inUse.size > 0) return
      spools.delete(path)
      unmarkHeld(path)
      const { drainPending } = await import('chdb')
      await drainPending()
    },
  }
}

/**
 * The engine's connection, given nothing but SQL: settings passed to it would stay set for all later statements
 * (limits.md (c)), and bound parameters would queue behind each other. A failed statement leaves what it had already printed
 * in its connection, and the next result would start with it: a throw-away question takes it. Native data go through a file.
 */
function bare(connection: ChdbConnection, spool: Spool): EmbeddedConnection {
  const cleanly = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work
    } catch (error) {
      // Should that fail too, the connection is gone altogether, and the next statement says so itself.
      await connection.query({ query: 'SELECT 1' }).catch(() => undefined)
      throw error
    }
  }
  return {
    query: ({ query }) => cleanly(connection.query({ query })),
    exec: ({ query, values }) => {
      if (values === undefined) return cleanly(connection.exec({ query }))
      if (!query.endsWith(NATIVE)) return cleanly(connection.exec({ query, values }))
      const insert = query.slice(0, -NATIVE.length)
      return spool.during(values, (file) =>
        cleanly(connection.exec({ query: `${insert}SELECT * FROM file(${literal(file)}, 'Native')` })),
      )
    },
    command: ({ query }) => cleanly(connection.command({ query })),
    insert: ({ query, values }) => cleanly(connection.insert({ query, values })),
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

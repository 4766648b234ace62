import { Session } from 'chdb'

/**
 * The embedded engine as a server has it: any number of statements at once, each with a database, settings and a format of
 * its own that the next one does not inherit.
 */
export interface Statement {
  readonly sql: string
  readonly database: string
  readonly settings: ReadonlyMap<string, string>
  /** Where the statement names none. */
  readonly format: string
}

export interface Result {
  readonly bytes: Uint8Array
  readonly rowsRead: number
  readonly bytesRead: number
  /** Seconds. */
  readonly elapsed: number
}

/** `message` is the engine's, `Code: N. DB::Exception: …`; `output` is what the statement had printed by then. */
export class EngineFailure extends Error {
  readonly output: Buffer

  constructor(message: string, output: Buffer) {
    super(message)
    this.output = output
  }
}

interface Connection {
  readonly session: Session
  database: string
  settings: ReadonlyMap<string, string>
}

/** Statements that leave something behind in their connection. */
const STICKY = /^\s*(?:USE|SET|CREATE\s+TEMPORARY)\b/i
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/
const MOST = 64

export class EnginePool {
  readonly #path: string
  readonly #idle: Connection[] = []
  readonly #waiting: (() => void)[] = []
  #open = 0

  constructor(path: string) {
    this.#path = path
  }

  async run(statement: Statement): Promise<Result> {
    const connection = await this.#take(statement)
    try {
      await prepare(connection, statement)
    } catch (error) {
      // Half of the settings may be in place.
      this.#drop(connection)
      throw new EngineFailure(messageOf(error), Buffer.alloc(0))
    }
    try {
      const result = await connection.session.queryAsync(statement.sql, { format: statement.format })
      const { rowsRead, bytesRead, elapsed } = result
      return { bytes: result.bytes(), rowsRead, bytesRead, elapsed }
    } catch (error) {
      throw new EngineFailure(messageOf(error), await leftover(connection.session))
    } finally {
      if (STICKY.test(statement.sql)) this.#drop(connection)
      else this.#give(connection)
    }
  }

  /** Only what is idle: the process ends afterwards. */
  close(): void {
    for (const { session } of this.#idle) session.close()
  }

  /** One that needs the least preparation. */
  async #take({ database, settings }: Statement): Promise<Connection> {
    while (this.#idle.length === 0) {
      if (this.#open < MOST) {
        this.#open += 1
        return { session: new Session(this.#path), database: '', settings: new Map() }
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    const fitting = this.#idle.findIndex((c) => c.database === database && same(c.settings, settings))
    const [connection] = this.#idle.splice(Math.max(0, fitting), 1)
    if (connection === undefined) throw new Error('no connection')
    return connection
  }

  #give(connection: Connection): void {
    this.#idle.push(connection)
    this.#waiting.shift()?.()
  }

  #drop(connection: Connection): void {
    connection.session.close()
    this.#open -= 1
    this.#waiting.shift()?.()
  }
}

async function prepare(connection: Connection, { database, settings }: Statement): Promise<void> {
  if (connection.database !== database) {
    await connection.session.queryAsync(`USE \`${database.replaceAll('`', '')}\``)
    connection.database = database
  }
  if (same(connection.settings, settings)) return
  const changes: string[] = []
  for (const name of connection.settings.keys()) if (!settings.has(name)) changes.push(`${name} = DEFAULT`)
  for (const [name, value] of settings) {
    if (!NAME.test(name))
      throw new Error(`Code: 115. DB::Exception: Unknown setting ${name}. (UNKNOWN_SETTING)`)
    changes.push(`${name} = '${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`)
  }
  await connection.session.queryAsync(`SET ${changes.join(', ')}`)
  connection.settings = settings
}

/** The embedded connection keeps what a failed statement had printed, and gives it to the next one (limits.md (c)). */
async function leftover(session: Session): Promise<Buffer> {
  try {
    const result = await session.queryAsync('SELECT 1', { format: 'TabSeparated' })
    const bytes = Buffer.from(result.bytes())
    return bytes.subarray(0, bytes.length - '1\n'.length)
  } catch {
    return Buffer.alloc(0)
  }
}

function same(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([name, value]) => b.get(name) === value)
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

import type { Engine } from '../api/engine.ts'
import { addCounts, type BatchCounts, newCounts } from '../api/pipeline.ts'
import { createInterpreter, type ReadRecord } from '../ingest/reader.ts'
import type { CompanyRecord } from './company/record.ts'

/**
 * Feeds raw synthetic lines to an engine through the same reading, recognising and normalising as real logs. Arrival is the
 * records' own time plus nothing: a synthetic company has no delays.
 */
const BATCH = 10_000

export class Feed {
  readonly counts: BatchCounts = newCounts()
  readonly #engine: Engine
  readonly #interpreter: ReturnType<typeof createInterpreter>
  #records: ReadRecord[] = []
  #line = 0
  #time = 0

  constructor(engine: Engine, options: { readonly arrival: number; readonly origin: string }) {
    this.#engine = engine
    this.#interpreter = createInterpreter({ registry: engine.registry, tenant: '', ...options })
  }

  /** Event time of the latest record given. */
  get position(): number {
    return this.#time
  }

  /** Takes records in order of time; scores whenever a batch is full. */
  async give(records: readonly CompanyRecord[]): Promise<void> {
    for (const { line, time } of records) {
      const bytes = Buffer.from(line)
      this.#line += 1
      this.#time = time
      this.#interpreter.interpretLine(
        { bytes, start: 0, end: bytes.length, line: this.#line, offset: 0, fault: undefined },
        this.#records,
      )
    }
    if (this.#records.length >= BATCH) await this.flush()
  }

  async flush(): Promise<void> {
    const records = this.#records
    this.#records = []
    if (records.length > 0) addCounts(this.counts, await this.#engine.take(records))
  }
}

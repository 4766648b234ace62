import type { BigIntStats } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Store } from '../features/store/connection.ts'
import { type FileList, listFiles } from '../ingest/files.ts'
import { ingestError } from '../ingest/ingest-error.ts'
import type { SourceRegistry } from '../ingest/sources.ts'
import type { Intake } from './intake.ts'
import type { Logger } from './logger.ts'
import { Problem } from './problem.ts'
import { type FileMark, keyOf, parseMark, readOn, WatchStopped } from './watched-file.ts'

/**
 * Watches folders for log files and reads what is new in them. By asking again and again: notifications of the file system
 * get lost on network mounts, in containers and under load. Where a file was read to is stored after its records, so a
 * crash in between reads them once more, and they are recognised.
 */
export interface FolderWatch {
  /** Looks once at every folder and reads what is new. Never throws. */
  poll(): Promise<void>
  start(): void
  /** Stops after the batch at hand. */
  stop(): Promise<void>
}

export interface FolderWatchOptions {
  readonly folders: readonly string[]
  readonly intake: Pick<Intake, 'ingest'>
  readonly store: Pick<Store, 'cursor' | 'setCursor'>
  readonly registry: SourceRegistry
  readonly logger: Pick<Logger, 'info' | 'warn'>
  /** Pause between two looks, milliseconds. */
  readonly intervalMs: number
  /** See `ReadOn`; default 5000. */
  readonly settleMs?: number | undefined
  /** Clock, epoch ms; for tests. */
  readonly now?: (() => number) | undefined
}

interface Candidate {
  readonly path: string
  readonly key: string
  /** Changes whenever the file does. */
  readonly signature: string
  /** Nanoseconds. */
  readonly modified: bigint
}

interface Known {
  mark: FileMark | undefined
  /** Signature of the state that was read to its end; '' when there is more to do. */
  finished: string
  failures: number
  /** Not looked at before this time, epoch ms. */
  notBefore: number
  /** Code of the problem that was reported last. */
  reported: string
}

const DEFAULT_SETTLE_MS = 5000
const LONGEST_PAUSE_MS = 60_000
const LONGEST_FILE_PAUSE_MS = 600_000
/** Rotated logs keep their name in front: `app.log.1`, `app.log-20260102`, `app.log.3.gz`. */
const ROTATED = /\.(?:log|json|ndjson|jsonl)[.-][\w.-]{1,64}$/i

export function createFolderWatch(options: FolderWatchOptions): FolderWatch {
  const { store, logger, intervalMs } = options
  const now = options.now ?? Date.now
  const files = new Map<string, Known>()
  /** Problems of paths that could not be looked at, reported until they are gone. */
  let troubled = new Set<string>()
  let stopping = false
  let failures = 0
  let running: Promise<void> = Promise.resolve()
  let wake: () => void = () => {}

  async function pass(): Promise<void> {
    const candidates = await look()
    for (const candidate of candidates) {
      if (stopping) return
      const known = files.get(candidate.key) ?? (await recall(candidate.key))
      files.set(candidate.key, known)
      if (known.finished === candidate.signature || now() < known.notBefore) continue
      await read(candidate, known)
    }
    const present = new Set(candidates.map((c) => c.key))
    for (const key of files.keys()) if (!present.has(key)) files.delete(key)
  }

  /** The files there are, oldest first: rotated logs before the one that is being written. */
  async function look(): Promise<Candidate[]> {
    const list = await listFiles(options.folders)
    const seen = new Set<string>()
    const candidates: Candidate[] = []
    const problems = [...list.problems]
    for (const path of pathsOf(list)) {
      let about: BigIntStats
      try {
        about = await stat(path, { bigint: true })
      } catch (error) {
        const problem = ingestError(error, path)
        // Rotated away since it was listed.
        if (problem.code !== 'not-found') problems.push(problem)
        continue
      }
      const key = keyOf(about)
      if (!about.isFile() || about.size === 0n || seen.has(key)) continue
      seen.add(key)
      const signature = `${about.size}:${about.mtimeNs}`
      candidates.push({ path, key, signature, modified: about.mtimeNs })
    }
    const still = new Set<string>()
    for (const { code, path, message } of problems) {
      const name = `${code} ${path}`
      if (!troubled.has(name)) logger.warn({ code, path }, `not watched: ${message}`)
      still.add(name)
    }
    troubled = still
    return candidates.sort(byAge)
  }

  async function recall(key: string): Promise<Known> {
    const stored = await store.cursor(key)
    const mark = stored === undefined ? undefined : parseMark(stored)
    return { mark, finished: '', failures: 0, notBefore: 0, reported: '' }
  }

  async function read(candidate: Candidate, known: Known): Promise<void> {
    const { path, key } = candidate
    try {
      const outcome = await readOn({ path, key }, known.mark, {
        intake: options.intake,
        registry: options.registry,
        now: now(),
        settleMs: options.settleMs ?? DEFAULT_SETTLE_MS,
        stopping: () => stopping,
        remember: async (mark) => {
          await store.setCursor(key, JSON.stringify(mark))
          known.mark = mark
        },
      })
      known.failures = 0
      if (outcome.replaced) logger.info({ path }, 'the file was emptied or replaced: read from its start')
      if (outcome.records > 0) logger.info({ path, records: outcome.records }, 'read')
      if (outcome.state === 'damaged') report(known, path, 'damaged-gzip')
      else if (outcome.state === 'read') known.reported = ''
      if (outcome.state === 'read' || outcome.state === 'damaged') known.finished = candidate.signature
    } catch (error) {
      if (error instanceof WatchStopped) return
      // The store's trouble is everybody's: give up this pass. A bad file is its own, and the others go on.
      const code = codeOf(error)
      if (code.startsWith('store-') || error instanceof Problem) throw error
      known.failures += 1
      const pause = Math.min(intervalMs * 2 ** Math.min(known.failures, 15), LONGEST_FILE_PAUSE_MS)
      known.notBefore = now() + pause
      report(known, path, code, error instanceof Error ? error.message : '')
    }
  }

  function report(known: Known, path: string, code: string, message = 'the gzip data are cut'): void {
    if (known.reported === code) return
    known.reported = code
    logger.warn({ code, path }, `left out: ${message}`)
  }

  async function poll(): Promise<void> {
    try {
      await pass()
      failures = 0
    } catch (error) {
      if (!stopping && failures === 0) logger.warn({ err: error }, 'watching pauses: the store refuses')
      failures += 1
    }
  }

  async function loop(): Promise<void> {
    while (!stopping) {
      await poll()
      if (stopping) return
      const pause = Math.min(intervalMs * 2 ** Math.min(failures, 10), Math.max(LONGEST_PAUSE_MS, intervalMs))
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pause)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  return {
    poll,
    start() {
      running = loop()
    },
    async stop() {
      stopping = true
      wake()
      await running
    },
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'internal'

/** Clocks of file systems are coarse: of two files of one moment the rotated one is older. */
function byAge(a: Candidate, b: Candidate): number {
  if (a.modified !== b.modified) return a.modified < b.modified ? -1 : 1
  const [rotatedA, rotatedB] = [ROTATED.test(a.path), ROTATED.test(b.path)]
  if (rotatedA !== rotatedB) return rotatedA ? -1 : 1
  return a.path < b.path ? -1 : 1
}

function pathsOf({ files, skipped }: FileList): string[] {
  const rotated = skipped.filter(({ path, reason }) => reason === 'extension' && ROTATED.test(path))
  return [...files.map((f) => f.path), ...rotated.map((s) => s.path)]
}

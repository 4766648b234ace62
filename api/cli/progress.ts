import type { WriteStream } from 'node:tty'

/** How far bytes have come: from the files, through the reader, into the store. */
export interface ShareFacts {
  /** Size of all files; 0 when it is not known. */
  readonly bytes: number
  /** Bytes taken in so far, and records made of them. */
  readonly consumed: number
  readonly parsed: number
  /** Records handed to the store. */
  readonly taken: number
  /** Everything is durable. */
  readonly durable: boolean
}

/** What is shown as done before the last record is durable stays below 100 %. */
const NEARLY = 0.99

/**
 * Share of the work done, 0..1: the bytes read, less the records of them that still wait (a small file is read as a whole
 * before its first record is taken). 1 means that everything is durable.
 */
export function shareDone({ bytes, consumed, parsed, taken, durable }: ShareFacts): number | undefined {
  if (bytes <= 0) return undefined
  if (durable) return 1
  return parsed === 0 ? 0 : Math.min(NEARLY, (consumed / bytes) * (taken / parsed))
}

/**
 * One line that says how far a long work is: rate, position in event time, share done and time remaining. On a terminal
 * it rewrites itself; elsewhere it prints a line every ten seconds, so that a CI log stays readable.
 */
export interface ProgressState {
  readonly done: number
  /** 0..1, undefined when the end is not known (standard input). */
  readonly share: number | undefined
  /** Event time reached, ms. */
  readonly position: number
}

const ON_TERMINAL_MS = 250
const ELSEWHERE_MS = 10_000

export class Progress {
  readonly #out: NodeJS.WriteStream | WriteStream
  readonly #label: string
  readonly #started = performance.now()
  #shown = 0
  #open = false

  constructor(out: NodeJS.WriteStream, label: string) {
    this.#out = out
    this.#label = label
  }

  update(state: ProgressState): void {
    const now = performance.now()
    const every = this.#out.isTTY ? ON_TERMINAL_MS : ELSEWHERE_MS
    if (now - this.#shown < every && this.#shown !== 0) return
    if (!this.#out.isTTY && now - this.#started < ELSEWHERE_MS) return
    this.#show(state, now)
  }

  /** The last line of a work that took long enough to show one. */
  finish(state: ProgressState): void {
    if (this.#shown !== 0) this.#show(state, performance.now())
  }

  #show(state: ProgressState, now: number): void {
    this.#shown = now
    const seconds = (now - this.#started) / 1000
    const text = progressLine(this.#label, state, seconds)
    if (this.#out.isTTY) {
      this.#out.write(`\r\x1b[2K${text}`)
      this.#open = true
    } else this.#out.write(`${text}\n`)
  }

  /** Clears the line, so that other output starts on a clean one. */
  clear(): void {
    if (this.#open) this.#out.write('\r\x1b[2K')
    this.#open = false
  }
}

export function progressLine(label: string, state: ProgressState, seconds: number): string {
  const rate = seconds > 0 ? state.done / seconds : 0
  const { share } = state
  const remaining =
    share === undefined || share <= 0 ? '' : `, ${duration((seconds * (1 - share)) / share)} left`
  const percent = share === undefined ? '' : ` ${Math.floor(share * 100)} %`
  const at =
    state.position > 0 ? `, at ${new Date(state.position).toISOString().slice(0, 16).replace('T', ' ')}` : ''
  return `${label}${percent}: ${state.done.toLocaleString('en')} events, ${Math.round(rate).toLocaleString('en')}/s${at}${remaining}`
}

export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`
  return `${(seconds / 3600).toFixed(1)} h`
}

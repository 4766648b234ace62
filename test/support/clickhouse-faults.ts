/**
 * What a server and the network before it do to a statement:
 *
 * - `refuse`: every connection is reset at once, also those that are open. Statements under way go on. For a port that nobody
 *   listens on, `kill()` or `stop()` the front.
 * - `reset-keepalive`: a connection that has served a request is reset as the next one comes: nothing is executed.
 * - `apply-then-timeout`: executed, and the answer never comes.
 * - `apply-then-reset`: executed, and the connection is reset instead of an answer.
 * - `fail-inserts`: INSERTs are answered with HTTP 500, and nothing is executed.
 * - `half-insert`: the first half of the rows of an INSERT is executed, then the connection is reset. A server in its senses
 *   does not do that to an INSERT of one block into one partition, nor does the engine behind the front: the front cuts the
 *   statement in two.
 */
type PlainMode =
  | 'refuse'
  | 'reset-keepalive'
  | 'apply-then-timeout'
  | 'apply-then-reset'
  | 'fail-inserts'
  | 'half-insert'

export type Fault = {
  /** How many statements it strikes before it heals by itself; absent: until `heal()`. */
  readonly times?: number
  /** Source of a regular expression: only statements whose beginning matches. */
  readonly only?: string
} & (
  | { [M in PlainMode]: { readonly mode: M } }[PlainMode]
  /** Waits before a statement is executed; it is executed even if nobody waits for it any more. */
  | { readonly mode: 'slow'; readonly milliseconds: number }
  /**
   * HTTP 200 and half of the rows of a SELECT, or none of an INSERT, which is not executed; then
   * - `text`: the exception as text and a proper end, as servers have done for ever;
   * - `row`: the exception as one more row of JSONCompactEachRow, or as a member of a JSON document (servers of 2023–2025);
   * - `tagged`: between `__exception__` marks (25.11 and later);
   * - `cut`: the connection ends.
   */
  | { readonly mode: 'error-after-200'; readonly style: 'text' | 'row' | 'tagged' | 'cut' }
)

/** The one fault that is switched on. */
export class Faults {
  #fault: Fault | undefined
  #struck = 0

  get mode(): Fault['mode'] | undefined {
    return this.#fault?.mode
  }

  set(fault: Fault): void {
    this.#fault = fault
    this.#struck = 0
  }

  /** How often the fault struck. */
  heal(): number {
    this.#fault = undefined
    return this.#struck
  }

  /** The fault, if it is one of these modes and this statement is its victim. */
  strike<M extends Fault['mode']>(
    modes: readonly M[],
    sql: string,
  ): Extract<Fault, { readonly mode: M }> | undefined {
    const fault = this.#fault
    if (fault === undefined || !isOf(fault, modes)) return undefined
    if (fault.only !== undefined && !new RegExp(fault.only).test(sql.slice(0, BEGINNING))) return undefined
    this.#struck += 1
    if (fault.times !== undefined && this.#struck >= fault.times) this.#fault = undefined
    return fault
  }
}

/** Where a statement has its verb and its table; the rest may be megabytes of data. */
export const BEGINNING = 400

function isOf<M extends Fault['mode']>(
  fault: Fault,
  modes: readonly M[],
): fault is Extract<Fault, { readonly mode: M }> {
  return modes.some((mode) => mode === fault.mode)
}

import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { Session } from './session.ts'
import { StoreError } from './store-error.ts'

const POLL_MS = 20
const PATIENCE_MS = 60_000

/**
 * Waits until the writes end that were under way when it was called, whoever started them. A process that was killed, or
 * that lost its identities to another, may have a statement in the server: whoever takes over must not read before it ends,
 * or would take the same activities twice.
 */
export async function fence(session: Session): Promise<void> {
  let before: Set<string> | undefined
  for (let waited = 0; ; waited += POLL_MS) {
    const rows = await session.rows("SELECT query_id FROM system.processes WHERE query_kind = 'Insert'")
    const running = new Set(rows.map((row) => z.tuple([z.string()]).parse(row)[0]))
    before = before === undefined ? running : new Set([...before].filter((id) => running.has(id)))
    if (before.size === 0) return
    if (waited > PATIENCE_MS)
      throw new StoreError(
        'store-read-failed',
        `Writes have been under way for over ${PATIENCE_MS / 1000} s.`,
      )
    await sleep(POLL_MS)
  }
}

import { type FileHandle, open } from 'node:fs/promises'
import type { PublishedAlert } from '../pipeline.ts'
import { toDetectionFinding } from './ocsf.ts'

/** Alerts as OCSF Detection Findings, one JSON object a line, appended to a file or written to standard output. */
export interface AlertSink {
  readonly write: (alerts: readonly PublishedAlert[]) => Promise<void>
  readonly close: () => Promise<void>
}

export async function openAlertSink(target: string, productVersion: string): Promise<AlertSink> {
  const line = ({ alert, change }: PublishedAlert): string =>
    `${JSON.stringify(toDetectionFinding(alert, change, productVersion))}\n`
  if (target === '-') {
    return {
      write: async (alerts) => {
        process.stdout.write(alerts.map(line).join(''))
      },
      close: async () => {},
    }
  }
  const file = await open(target, 'a+')
  await dropHalfLine(file)
  let last: Promise<void> = Promise.resolve()
  const append = async (alerts: readonly PublishedAlert[]): Promise<void> => {
    const { size } = await file.stat()
    try {
      await file.appendFile(alerts.map(line).join(''))
      await file.datasync()
    } catch (error) {
      // A disk that is full takes the beginning. These alerts come again, and must not begin in the middle of a line.
      await file.truncate(size).catch(() => {})
      throw error
    }
  }
  return {
    // One after the other: what is taken back must be nobody else's.
    write: (alerts) => {
      const turn = last.then(() => append(alerts))
      last = turn.catch(() => {})
      return turn
    },
    close: async () => {
      await last
      await file.close()
    },
  }
}

/** A process that was killed while writing leaves half a line; its alert is published again, so the half is dropped. */
async function dropHalfLine(file: FileHandle): Promise<void> {
  const { size } = await file.stat()
  const tail = Buffer.alloc(64 * 1024)
  let end = size
  while (end > 0) {
    const start = Math.max(0, end - tail.length)
    await file.read(tail, 0, end - start, start)
    const newline = tail.subarray(0, end - start).lastIndexOf(10)
    if (newline >= 0) {
      if (start + newline + 1 < size) await file.truncate(start + newline + 1)
      return
    }
    end = start
  }
  if (size > 0) await file.truncate(0)
}

import { createHash } from 'node:crypto'
import { type DeadLetter, dead, type Position, STAGES, type Stage } from './outcome.ts'
import type { JsonObject } from './source.ts'

/**
 * Dead letters on their way out and back in: one JSON line each, the original bytes in base64, so that nothing a hostile
 * record contains can break the file. Reading such a line again unwraps it (`container.ts`) and judges the bytes anew.
 */

export const DEAD_LETTER_KEY = 'plumbline_dead_letter'
const VERSION = 1

/** Stable id of a dead letter, 128 bit hex: the same bytes at the same place are the same letter, however often they are read. */
export function deadLetterUid(letter: DeadLetter): string {
  const { origin, offset, index } = letter.position
  // Lengths are unambiguous because the origin is written as JSON.
  return createHash('sha256')
    .update(`${JSON.stringify(origin)}\n${offset}\n${index}\n`)
    .update(letter.bytes)
    .digest('hex')
    .slice(0, 32)
}

/** One line of a dead-letter export, without line break. */
export function exportDeadLetter(letter: DeadLetter): string {
  const { verdict, position, source, bytes } = letter
  return JSON.stringify({
    [DEAD_LETTER_KEY]: VERSION,
    uid: deadLetterUid(letter),
    stage: verdict.stage,
    reason: verdict.reason,
    detail: verdict.detail,
    source,
    origin: position.origin,
    line: position.line,
    offset: position.offset,
    index: position.index,
    bytes: bytes.toString('base64'),
  })
}

export const isDeadLetterExport = (record: JsonObject): boolean =>
  record[DEAD_LETTER_KEY] === VERSION && typeof record.bytes === 'string'

/** A dead letter out of a parsed line of an export; undefined when it is not one, or not intact. */
export function importDeadLetter(record: JsonObject): DeadLetter | undefined {
  if (!isDeadLetterExport(record)) return undefined
  const { reason, detail, source, bytes } = record
  const stage = STAGES.find((known: Stage) => known === record.stage)
  const position = positionOf(record)
  if (stage === undefined || position === undefined) return undefined
  if (typeof reason !== 'string' || typeof detail !== 'string' || typeof source !== 'string') return undefined
  const original = typeof bytes === 'string' ? decodeBase64(bytes) : undefined
  if (original === undefined) return undefined
  return { verdict: dead(stage, reason, detail), position, source, bytes: original }
}

function positionOf(record: JsonObject): Position | undefined {
  const { origin, line, offset, index } = record
  if (typeof origin !== 'string' || !isCount(line) || !isCount(offset) || !isCount(index)) return undefined
  return { origin, line, offset, index }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0

/** Bytes of base64 text (white space allowed, padding optional); undefined when it is anything else: Buffer.from guesses. */
export function decodeBase64(text: string): Buffer | undefined {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    const letter = (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 47 && code <= 57)
    // 43 `+`, 61 `=`, 45 and 95 of the URL form, and white space.
    if (letter || code === 43 || code === 61 || code === 45 || code === 95) continue
    if (code !== 10 && code !== 13 && code !== 32) return undefined
  }
  return Buffer.from(text, 'base64')
}

import { deadLetterUid } from '../../ingest/dead-letters.ts'
import type { DeadLetter } from '../../ingest/outcome.ts'
import type { AlertRow, CalibrationRow, HeldRow, PresenceRow, UnitRow } from '../rows.ts'

/**
 * Rows as lines of JSONCompactEachRow, in the order of `COLUMNS`. One bad number would fail the whole block, so every
 * number is made one the column takes: integers are cut and clipped, what is no number is 0.
 */

/** A value for an unsigned column, within what JSON carries exactly. */
export function count(value: number): number {
  if (!(value > 0)) return 0
  return value >= Number.MAX_SAFE_INTEGER ? Number.MAX_SAFE_INTEGER : Math.trunc(value)
}

/** A value for a 32 bit unsigned column: ClickHouse would silently wrap a larger one. */
export function count32(value: number): number {
  return Math.min(count(value), 4_294_967_295)
}

function real(value: number): number {
  return Number.isFinite(value) ? value : 0
}

export function presenceLine(row: PresenceRow): string {
  // `>>> 0`: bit 31 is never used, but a mask computed with `|` may be a negative number in JavaScript.
  return JSON.stringify([row.identity, row.feature, row.value, count32(row.day), row.hours >>> 0])
}

export function unitLine(row: UnitRow): string {
  const scores: Record<string, number> = Object.create(null)
  for (const [detector, score] of Object.entries(row.scores)) scores[detector] = real(score)
  return JSON.stringify([
    row.identity,
    count32(row.hour),
    row.source,
    count(row.events),
    count(row.denied),
    count(row.failed),
    count32(row.actions),
    count32(row.resources),
    count(row.bytes),
    real(row.learnedEvents),
    real(row.learnedActions),
    real(row.learnedResources),
    real(row.learnedDenied),
    count(row.sessions),
    count(row.sessionMoves),
    row.learned ? 1 : 0,
    row.novel,
    scores,
    real(row.surprise),
    row.stratum,
    row.state,
    // The fuller count of the hour wins, whatever the order of writing.
    count(row.events),
  ])
}

export function heldLine(row: HeldRow): string {
  return JSON.stringify([row.identity, row.feature, row.value, count32(row.hour), row.state, row.reason])
}

export function alertLine(row: AlertRow): string {
  return JSON.stringify([
    row.uid,
    row.identity,
    count32(row.day),
    count(row.firstTime),
    count(row.lastTime),
    Math.min(count(row.severityId), 255),
    count(row.version),
    row.body,
  ])
}

export function calibrationLine(row: CalibrationRow): string {
  const bin = Math.max(-2_147_483_648, Math.min(2_147_483_647, Math.trunc(real(row.bin))))
  const stratum = row.scope === undefined || row.scope === '' ? row.stratum : `${row.scope}|${row.stratum}`
  return JSON.stringify([count32(row.day), stratum, row.detector, bin, count(row.units)])
}

export function deadLetterLine(row: DeadLetter, seq: number): string {
  const { verdict, position } = row
  return JSON.stringify([
    deadLetterUid(row),
    seq,
    verdict.stage,
    verdict.reason,
    verdict.detail,
    position.origin,
    count(position.line),
    count(position.offset),
    count(position.index),
    row.source,
    // Base64, because the bytes need not be text of any kind.
    row.bytes.toString('base64'),
  ])
}

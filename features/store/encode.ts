import { deadLetterUid } from '../../ingest/dead-letters.ts'
import type { DeadLetter } from '../../ingest/outcome.ts'
import type { AlertRow, CalibrationRow, HeldRow, IdentityHour, PresenceRow, UnitRow } from '../rows.ts'
import {
  type Column,
  float64,
  int32,
  int64,
  numberMap,
  text,
  uint8,
  uint32,
  uint64,
  word,
  words,
} from './native-block.ts'

/**
 * Rows as columns of Native blocks. A number that its column does not hold would be cut to its lower bits, so every number is
 * made one that it holds: integers are cut and clipped, what is no number is 0.
 */

/** A value for an unsigned column, within what JSON carries exactly. */
export function count(value: number): number {
  if (!(value > 0)) return 0
  return value >= Number.MAX_SAFE_INTEGER ? Number.MAX_SAFE_INTEGER : Math.trunc(value)
}

/** A value for a 32 bit unsigned column. */
export function count32(value: number): number {
  return Math.min(count(value), 4_294_967_295)
}

function real(value: number): number {
  return Number.isFinite(value) ? value : 0
}

function reals(values: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  const all: Record<string, number> = Object.create(null)
  for (const key of Object.keys(values)) all[key] = real(values[key] ?? 0)
  return all
}

export const PRESENCE: readonly Column<PresenceRow>[] = [
  text('identity', (row) => row.identity),
  word('feature', (row) => row.feature),
  text('value', (row) => row.value),
  uint32('day', (row) => count32(row.day)),
  uint32('hours', (row) => row.hours),
]

export const UNIT: readonly Column<UnitRow>[] = [
  text('identity', (row) => row.identity),
  uint32('hour', (row) => count32(row.hour)),
  word('source', (row) => row.source),
  uint64('events', (row) => count(row.events)),
  uint64('denied', (row) => count(row.denied)),
  uint64('failed', (row) => count(row.failed)),
  uint32('actions', (row) => count32(row.actions)),
  uint32('resources', (row) => count32(row.resources)),
  uint64('bytes', (row) => count(row.bytes)),
  float64('learned_events', (row) => real(row.learnedEvents)),
  float64('learned_actions', (row) => real(row.learnedActions)),
  float64('learned_resources', (row) => real(row.learnedResources)),
  float64('learned_denied', (row) => real(row.learnedDenied)),
  uint64('sessions', (row) => count(row.sessions)),
  uint64('session_moves', (row) => count(row.sessionMoves)),
  uint8('learned', (row) => (row.learned ? 1 : 0)),
  words('novel', (row) => row.novel),
  numberMap('scores', (row) => reals(row.scores)),
  float64('surprise', (row) => real(row.surprise)),
  word('stratum', (row) => row.stratum),
  word('state', (row) => row.state),
  // The fuller count of the hour wins, whatever the order of writing.
  uint64('version', (row) => count(row.events)),
]

export const HELD: readonly Column<HeldRow>[] = [
  text('identity', (row) => row.identity),
  word('feature', (row) => row.feature),
  text('value', (row) => row.value),
  uint32('hour', (row) => count32(row.hour)),
  word('state', (row) => row.state),
  text('reason', (row) => row.reason),
]

export const ALERT: readonly Column<AlertRow>[] = [
  text('uid', (row) => row.uid),
  text('identity', (row) => row.identity),
  uint32('day', (row) => count32(row.day)),
  int64('first_time', (row) => count(row.firstTime)),
  int64('last_time', (row) => count(row.lastTime)),
  uint8('severity_id', (row) => Math.min(count(row.severityId), 255)),
  uint64('version', (row) => count(row.version)),
  text('body', (row) => row.body),
]

const bin = ({ bin }: CalibrationRow): number =>
  Math.max(-2_147_483_648, Math.min(2_147_483_647, Math.trunc(real(bin))))

export const CALIBRATION: readonly Column<CalibrationRow>[] = [
  uint32('day', (row) => count32(row.day)),
  word('stratum', (row) =>
    row.scope === undefined || row.scope === '' ? row.stratum : `${row.scope}|${row.stratum}`,
  ),
  word('detector', (row) => row.detector),
  int32('bin', bin),
  uint64('units', (row) => count(row.units)),
]

export const DEAD_LETTER: readonly Column<DeadLetter>[] = [
  text('uid', deadLetterUid),
  uint64('seq', (_, seq) => seq),
  word('stage', (row) => row.verdict.stage),
  word('reason', (row) => row.verdict.reason),
  text('detail', (row) => row.verdict.detail),
  text('origin', (row) => row.position.origin),
  uint64('line', (row) => count(row.position.line)),
  uint64('offset', (row) => count(row.position.offset)),
  uint64('record', (row) => count(row.position.index)),
  word('source', (row) => row.source),
  // Base64, because the bytes need not be text of any kind, and answers are JSON.
  text('bytes', (row) => row.bytes.toString('base64')),
]

/** Repairs that are due. */
export const REPAIR: readonly Column<IdentityHour>[] = [
  text('identity', (row) => row.identity),
  uint32('hour', (row) => count32(row.hour)),
  uint8('done', () => 0),
]

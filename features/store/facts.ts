import { DISTINCT_CAP, FEATURES } from '../feature.ts'
import { literal } from './sql.ts'

/**
 * What `activity` says of presence and of units, each in one SELECT: the proof that both tables are derived, and the means
 * to make them again. Unmerged duplicates of an activity are normal: OR and distinct sets ignore them, sums read FINAL.
 */

const PAIRS = FEATURES.map((feature) => `(${literal(feature.id)}, toString(${feature.sql}))`).join(', ')

/** `identity, feature, value, day, hours` of the activities that satisfy `where` (SQL over `activity`). */
export const DERIVED_PRESENCE = (where: string): string =>
  `SELECT identity, pair.1 AS feature, pair.2 AS value, intDiv(time, 86400000)::UInt32 AS day,
     groupBitOr(bitShiftLeft(1::UInt32, intDiv(time, 3600000) % 24)) AS hours
   FROM activity ARRAY JOIN [${PAIRS}] AS pair
   WHERE ${where} AND value != ''
   GROUP BY identity, feature, value, day`

/** `identity, hour, source, events, denied, failed, actions, resources, bytes` of the activities that satisfy `where`. */
export const DERIVED_UNITS = (where: string): string =>
  `SELECT identity, intDiv(time, 3600000)::UInt32 AS hour, argMin(source, seq) AS source, count() AS events,
     countIf(outcome = 'denied') AS denied, countIf(outcome = 'failure') AS failed,
     least(${DISTINCT_CAP}, uniqExact(action))::UInt32 AS actions,
     least(${DISTINCT_CAP}, uniqExactArray(resources))::UInt32 AS resources, sum(bytes_out) AS bytes
   FROM activity FINAL
   WHERE ${where}
   GROUP BY identity, hour`

/** `identity, feature, value` of the activities that satisfy `where`, repeated. */
export const DERIVED_USES = (where: string): string =>
  `SELECT identity, pair.1 AS feature, pair.2 AS value FROM activity ARRAY JOIN [${PAIRS}] AS pair
   WHERE ${where} AND value != ''`

import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { FEATURE_IDS } from '../../features/feature.ts'
import { VALUES_PER_FEATURE } from '../../features/known-value.ts'
import { Problem } from '../problem.ts'
import type { ServerParts } from '../server.ts'
import { alertPage, answerAlerts } from './alerts.ts'
import { cursorText, decodeCursor, encodeCursor, identityId, limitOf, parseQuery } from './query.ts'

const listQuery = z.strictObject({
  text: z.string().min(1).max(256).optional(),
  cursor: cursorText.optional(),
  limit: limitOf(50),
})
const oneQuery = z.strictObject({
  /** Values shown of each feature. */
  values: z.coerce.number().int().min(1).max(1000).default(100),
  alerts: limitOf(20),
})

const listPage = z.object({
  items: z.array(
    z.object({
      id: z.string(),
      first_hour: z.number(),
      last_hour: z.number(),
      active_hours: z.number(),
      events: z.number(),
    }),
  ),
  next: z.string().optional(),
})

const summarySchema = z.object({
  id: z.string(),
  kind: z.string(),
  provider: z.string(),
  tenant: z.string(),
  human: z.string(),
  human_reason: z.string(),
  first_seen: z.number(),
  last_seen: z.number(),
  events: z.number(),
  denied: z.number(),
  failed: z.number(),
  sources: z.array(z.string()),
})
const baselineSchema = z.object({
  feature: z.enum(FEATURE_IDS),
  /** How many values there are; `values` may be cut. */
  distinct: z.number(),
  /** No further value is remembered: what is new is not told any more. */
  full: z.boolean(),
  values: z.array(
    z.object({
      value: z.string(),
      hours: z.number(),
      days: z.number(),
      first_day: z.number(),
      last_day: z.number(),
      /** Seen, but not learnt: `held`. */
      held: z.enum(['held', 'promoted', '']),
      reason: z.string(),
    }),
  ),
})
/** Times are epoch ms, days are days since 1970, hours of the grid are UTC, Monday first. */
export const identityAnswer = z.object({
  identity: summarySchema,
  baseline: z.array(baselineSchema),
  hours_of_week: z.array(z.array(z.number()).length(24)).length(7),
  alerts: alertPage,
})

/** GET /v1/identities: search. GET /v1/identities/<id>: one; the id may hold slashes and colons, percent-encoded or not. */
export function identityRoutes(app: FastifyInstance, { engine, version }: ServerParts): void {
  const { analyst } = engine.store
  app.get('/v1/identities', async (request) => {
    const { text, cursor, limit } = parseQuery(listQuery, request.query)
    const page = await analyst.identities({
      limit,
      ...(text === undefined ? {} : { text }),
      ...(cursor === undefined ? {} : { after: decodeCursor(cursor, z.string()) }),
    })
    const items = page.items.map((line) => ({
      id: line.id,
      first_hour: line.firstHour,
      last_hour: line.lastHour,
      active_hours: line.units,
      events: line.events,
    }))
    const next = page.next === undefined ? {} : { next: encodeCursor(page.next) }
    return listPage.parse({ items, ...next })
  })
  app.get<{ Params: { '*': string } }>('/v1/identities/*', async (request) => {
    const { values, alerts } = parseQuery(oneQuery, request.query)
    const id = identityId.safeParse(request.params['*']).data
    const found = id === undefined ? undefined : await analyst.identity(id)
    if (found === undefined) throw new Problem('unknown-identity', 'No identity has this id.')
    const baseline = await analyst.baseline(found.id)
    const grid = await analyst.hourGrid(found.id)
    const page = await analyst.alerts({ identity: found.id, limit: alerts })
    const { humanReason, firstSeen, lastSeen, ...summary } = found
    return identityAnswer.parse({
      identity: { ...summary, human_reason: humanReason, first_seen: firstSeen, last_seen: lastSeen },
      baseline: FEATURE_IDS.map((feature) => {
        const all = baseline.filter((v) => v.feature === feature)
        return {
          feature,
          distinct: all.length,
          full: all.length >= VALUES_PER_FEATURE,
          values: all.slice(0, values).map((v) => ({
            value: v.value,
            hours: v.hours,
            days: v.days,
            first_day: v.firstDay,
            last_day: v.lastDay,
            held: v.held,
            reason: v.reason,
          })),
        }
      }).filter((b) => b.distinct > 0),
      hours_of_week: grid,
      alerts: answerAlerts(page, version),
    })
  })
}

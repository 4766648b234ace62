import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { FAMILIES } from '../../detectors/detector.ts'
import { KINDS } from '../../ingest/activity.ts'
import type { ServerParts } from '../server.ts'
import { parseQuery } from './query.ts'

const sourcesAnswer = z.object({
  items: z.array(
    z.object({
      id: z.string(),
      title: z.string(),
      kind: z.enum(KINDS),
      format: z.enum(['json', 'text']),
      sees: z.string(),
      misses: z.string(),
      needs: z.string(),
      documentation: z.string(),
    }),
  ),
})

const detectorsAnswer = z.object({
  items: z.array(
    z.object({
      id: z.string(),
      title: z.string(),
      family: z.enum(FAMILIES),
      analytic_type: z.enum(['rule', 'behavioral', 'statistical']),
      attacks: z.array(z.object({ tactic: z.string(), technique: z.string() })),
      sees: z.string(),
      needs: z.string(),
      blind_spots: z.array(z.string()),
      false_positives: z.array(z.string()),
      parameters: z.record(z.string(), z.unknown()),
    }),
  ),
})

/** GET /v1/sources, GET /v1/detectors: what is understood and what is looked for. */
export function catalogueRoutes(app: FastifyInstance, { engine }: ServerParts): void {
  // The catalogues do not change while the process runs. Parsing keeps only what the schema names.
  const sources = sourcesAnswer.parse({ items: engine.registry.all })
  const detectors = detectorsAnswer.parse({
    items: engine.detectors.all.map((d) => ({
      ...d,
      analytic_type: d.analyticType,
      blind_spots: d.blindSpots,
      false_positives: d.falsePositives,
    })),
  })
  const nothing = z.strictObject({})
  app.get('/v1/sources', async (request) => {
    parseQuery(nothing, request.query)
    return sources
  })
  app.get('/v1/detectors', async (request) => {
    parseQuery(nothing, request.query)
    return detectors
  })
}

import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { type Alert, SEVERITIES } from '../../detectors/alert.ts'
import { FAMILIES } from '../../detectors/detector.ts'
import { type Explanation, explain } from '../../detectors/explanation.ts'
import type { AlertRow } from '../../features/rows.ts'
import type { Page } from '../../features/store/analyst.ts'
import { toDetectionFinding } from '../outputs/ocsf.ts'
import { parseAlert } from '../pipeline.ts'
import { Problem } from '../problem.ts'
import type { ServerParts } from '../server.ts'
import { cursorText, decodeCursor, identityId, limitOf, parseQuery } from './query.ts'

const SEVERITY_ID = { low: 2, medium: 3, high: 4, critical: 5 } as const

const listQuery = z.strictObject({
  cursor: cursorText.optional(),
  limit: limitOf(50),
  identity: identityId.optional(),
  min_severity: z.enum(SEVERITIES).optional(),
})
const position = z.tuple([z.number(), z.string()])

const family = z.object({
  unusual: z.boolean(),
  sentences: z.array(z.string()),
  supporting: z.array(z.string()),
})
const explanationSchema = z.object({
  headline: z.string(),
  families: z.record(z.enum(FAMILIES), family),
  shares: z.array(z.object({ detector: z.string(), value: z.string(), share: z.number() })),
  silentWithout: z.array(z.string()),
  expectedOnceInDays: z.number().nullable(),
  next: z.array(z.string()),
  blind: z.array(z.string()),
})

/** An alert as it is answered: the OCSF finding, untouched so that it validates, beside what explains it. */
export const alertItem = z.object({
  uid: z.string(),
  finding: z.looseObject({
    class_uid: z.literal(2004),
    severity_id: z.number(),
    time: z.number(),
    finding_info: z.looseObject({ uid: z.string(), title: z.string() }),
  }),
  explanation: explanationSchema,
})
export const alertPage = z.object({ items: z.array(alertItem), next: z.string().optional() })

export function answerAlert(alert: Alert, version: string): z.infer<typeof alertItem> {
  const explanation: Explanation = explain(alert)
  const finding = toDetectionFinding(alert, alert.version > 1 ? 'update' : 'create', version)
  return alertItem.parse({ uid: alert.uid, finding, explanation })
}

export function answerAlerts(page: Page<AlertRow>, version: string): z.infer<typeof alertPage> {
  const items = page.items.map((row) => answerAlert(parseAlert(row), version))
  return page.next === undefined ? { items } : { items, next: page.next }
}

/** GET /v1/alerts: newest first. GET /v1/alerts/:id: one. */
export function alertRoutes(app: FastifyInstance, { engine, version }: ServerParts): void {
  const { analyst } = engine.store
  app.get('/v1/alerts', async (request) => {
    const { cursor, limit, identity, min_severity } = parseQuery(listQuery, request.query)
    // The store finds nothing behind a cursor that is not its own: an empty page would look like the end of the list.
    if (cursor !== undefined) decodeCursor(cursor, position)
    const page = await analyst.alerts({
      limit,
      ...(cursor === undefined ? {} : { after: cursor }),
      ...(identity === undefined ? {} : { identity }),
      ...(min_severity === undefined ? {} : { minSeverity: SEVERITY_ID[min_severity] }),
    })
    return answerAlerts(page, version)
  })
  app.get<{ Params: { id: string } }>('/v1/alerts/:id', async (request) => {
    parseQuery(z.strictObject({}), request.query)
    const { id } = request.params
    const row = id.length > 128 ? undefined : await analyst.alert(id)
    if (row === undefined) throw new Problem('unknown-alert', 'No alert has this id.')
    return answerAlert(parseAlert(row), version)
  })
}

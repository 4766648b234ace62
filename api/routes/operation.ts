import type { FastifyInstance } from 'fastify'
import { flowMetrics } from '../roles/flow-metrics.ts'
import type { ServerParts } from '../server.ts'

const STORE_PATIENCE_MS = 2000

/**
 * GET /health: the process turns (restart it when it does not). GET /ready: it makes progress: state restored, last batch
 * or probe stored, store answering now. GET /metrics: for Prometheus.
 */
export function operationRoutes(app: FastifyInstance, parts: ServerParts): void {
  const { engine, intake, metrics } = parts
  const flows = parts.flows ?? []
  const answers = createProbe(() => engine.store.cursor('ready'))
  app.get('/health', async () => ({ status: 'alive' }))
  app.get('/ready', async (_request, reply) => {
    const reasons: string[] = []
    if (!engine.restored()) reasons.push('state-not-restored')
    if (intake?.ready() === false) reasons.push('last-write-failed')
    for (const flow of flows) {
      const trouble = flow.trouble()
      if (trouble !== null) reasons.push(`${flow.role}: ${trouble}`)
    }
    if (!(await answers())) reasons.push('store-silent')
    const ready = reasons.length === 0
    return reply.code(ready ? 200 : 503).send({ ready, reasons })
  })
  app.get('/metrics', async (_request, reply) =>
    reply.type('text/plain; version=0.0.4; charset=utf-8').send(
      metrics.text({
        now: Date.now(),
        identities: engine.identities(),
        queuedRecords: intake?.queuedRecords() ?? 0,
        ready:
          intake?.ready() !== false && engine.restored() && flows.every((flow) => flow.trouble() === null),
      }) + flowMetrics(flows),
    ),
  )
}

/**
 * Whether the store answers in time. One question at a time for all who ask: anybody may call, and the pipeline reads on the
 * same session, so its batches would wait behind every question.
 */
function createProbe(ask: () => Promise<unknown>): () => Promise<boolean> {
  let asked: Promise<boolean> | undefined
  return async () => {
    asked ??= ask()
      .then(
        () => true,
        () => false,
      )
      .finally(() => {
        asked = undefined
      })
    let timer: NodeJS.Timeout | undefined
    const patience = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), STORE_PATIENCE_MS)
    })
    try {
      return await Promise.race([asked, patience])
    } finally {
      clearTimeout(timer)
    }
  }
}

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
  app.get('/health', async () => ({ status: 'alive' }))
  app.get('/ready', async (_request, reply) => {
    const reasons: string[] = []
    if (!engine.restored()) reasons.push('state-not-restored')
    if (intake?.ready() === false) reasons.push('last-write-failed')
    for (const flow of flows) {
      const trouble = flow.trouble()
      if (trouble !== null) reasons.push(`${flow.role}: ${trouble}`)
    }
    if (!(await answers(engine.store.cursor('ready')))) reasons.push('store-silent')
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

/** Whether the store answers in time. A late answer is left alone. */
async function answers(question: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const patience = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), STORE_PATIENCE_MS)
  })
  try {
    return await Promise.race([
      question.then(
        () => true,
        () => false,
      ),
      patience,
    ])
  } finally {
    clearTimeout(timer)
  }
}

import type { ConsumerEvents, Gap } from '../../ingest/broker.ts'
import type { RoleParts } from './flow.ts'

/** What went wrong between a consumer and its broker, told in the log and remembered for `/ready` and `/metrics`. */
export interface GroupHealth {
  /** Until this is null again the consumer is not in its group. */
  trouble: string | null
  /** Messages that the broker deleted before they were read. */
  lostMessages: number
}

/** The events that are the same for every role. */
export function groupEvents(
  role: string,
  { logger, fatal }: Pick<RoleParts, 'logger' | 'fatal'>,
  health: GroupHealth,
): Pick<ConsumerEvents, 'gap' | 'trouble' | 'failed'> {
  return {
    gap(gap: Gap) {
      const lost = gap.reason === 'log-truncated' ? gap.to - gap.from : 0
      health.lostMessages += lost
      logger.error(
        { role, ...gap, lost, code: gap.reason },
        gap.reason === 'log-truncated'
          ? 'messages were deleted by the broker before they were read: raise retention, or add consumers'
          : 'the stored offset is beyond the end of the log: the topic was made anew, and is read from its start',
      )
    },
    trouble(error) {
      health.trouble = 'the broker does not answer, or its messages cannot be decoded'
      logger.error({ role, err: error }, 'the consumer stumbled and tries again')
    },
    failed(error) {
      health.trouble = 'the consumer gave up'
      logger.error({ role, err: error }, 'the consumer gave up')
      fatal(error)
    },
  }
}

import { z } from 'zod'
import {
  ACCESS_LEVELS,
  ACTIVITY_CLASSES,
  type Activity,
  EFFECTS,
  IDENTITY_KINDS,
  KINDS,
  NETWORK_KINDS,
  OUTCOMES,
} from './activity.ts'
import { accepted, dead, type Verdict } from './outcome.ts'

/**
 * An activity on its way between two processes (`plumbline.activity`): JSON, keyed by identity, so that one identity's
 * events meet in one partition, in order. The topic is a border like any other: what comes in is validated, and a message
 * that is no activity becomes a dead letter.
 */
const text = z.string()
const schema = z.object({
  uid: z.string().min(1),
  time: z.number().int(),
  source: z.string().min(1),
  kind: z.enum(KINDS),
  class: z.enum(ACTIVITY_CLASSES),
  identity: z.object({
    id: z.string().min(1),
    kind: z.enum(IDENTITY_KINDS),
    provider: text,
    tenant: text,
    human: z.enum(['yes', 'no', 'unknown']),
    humanReason: text,
  }),
  action: text,
  service: text,
  accessLevel: z.enum(ACCESS_LEVELS),
  effect: z.union([z.enum(EFFECTS), z.literal('')]),
  resourceClass: text,
  resources: z.array(text),
  outcome: z.enum(OUTCOMES),
  errorCode: text,
  credential: text,
  authMethod: text,
  session: text,
  issuance: z.object({ workload: text.optional(), workloadUid: text.optional(), node: text.optional() }),
  origin: z.object({
    kind: z.enum(NETWORK_KINDS),
    address: text,
    prefix: text,
    country: text,
    asn: z.number().int(),
    network: text,
  }),
  userAgent: text,
  userAgentFamily: text,
  region: text,
  requestId: text,
  actingAs: text,
  bytesOut: z.number(),
  details: z.record(text, text),
})

export const encodeActivity = (activity: Activity): string => JSON.stringify(activity)

/** Never throws: `parse/not-json`, `parse/not-an-activity` with the path that is wrong. */
export function decodeActivity(bytes: Buffer): Verdict<Activity> {
  let value: unknown
  try {
    value = JSON.parse(bytes.toString())
  } catch {
    return dead('parse', 'not-json', 'a message of the activity topic is no JSON')
  }
  const parsed = schema.safeParse(value)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    return dead(
      'parse',
      'not-an-activity',
      `${issue?.path.join('.') || '(message)'}: ${issue?.message ?? ''}`,
    )
  }
  const { issuance, ...rest } = parsed.data
  return accepted({ ...rest, issuance: present(issuance) })
}

/** Without the members that are absent: an Activity never has one that is `undefined`. */
function present(issuance: {
  readonly workload?: string | undefined
  readonly workloadUid?: string | undefined
  readonly node?: string | undefined
}): Activity['issuance'] {
  const { workload, workloadUid, node } = issuance
  return {
    ...(workload === undefined ? {} : { workload }),
    ...(workloadUid === undefined ? {} : { workloadUid }),
    ...(node === undefined ? {} : { node }),
  }
}

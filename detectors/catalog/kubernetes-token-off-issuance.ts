import { z } from 'zod'
import type { CredentialUse } from '../../features/credential-uses.ts'
import { defineDetector, quote, type Subject } from '../detector.ts'

/** A bound token used from where its pod and node are not. Blind behind a proxy that hides the caller's address. */
export const detector = defineDetector({
  id: 'kubernetes-token-off-issuance',
  title: 'A bound token used away from its pod and node',
  family: 'geography',
  analyticType: 'rule',
  attacks: [{ tactic: 'TA0006', technique: 'T1528' }],
  trigger: { on: 'activity', kinds: ['kubernetes'] },
  params: z.object({
    /** An address that this many identities of the cluster share is an egress or a proxy and proves nothing. */
    sharedBy: z.number().int().min(2).default(4),
  }),
  sees: 'A service account token, bound to a pod on a node, called from an address that is neither its node nor where the pod has been calling from while the pod lives on there.',
  needs:
    'credential-id, pod and node in user.extra (Kubernetes 1.29+) and client addresses; works from the first event.',
  blindSpots: ['clusters whose API server sees one proxy address', 'theft on the same node'],
  falsePositives: ['pods with several interfaces'],
  examples: {
    fires: {
      title: 'The pod’s token appears elsewhere while the pod goes on',
      hours: 0,
      now: [
        { ...bound(), origin: privateOrigin('10.0.1.5') },
        { ...bound(), origin: privateOrigin('10.9.9.9') },
        { ...bound(), origin: privateOrigin('10.0.1.5') },
      ],
    },
    silent: {
      title: 'The pod calls from its own address',
      hours: 0,
      now: [
        { ...bound(), origin: privateOrigin('10.0.1.5') },
        { ...bound(), origin: privateOrigin('10.0.1.5') },
      ],
    },
  },
  score(subject, { sharedBy }) {
    const { activity, credential, estate } = subject
    const { issuance, identity } = activity
    if (credential === null || activity.authMethod !== 'bound-token' || issuance.node === undefined)
      return null
    const nodes = estate.addressesOfNode(nodeIdentity(subject, issuance.node))
    const stranger = strangeUse(credential.uses, credential.here, nodes)
    if (stranger === null) return null
    if (estate.usersOfAddress(identity.tenant, stranger.address) >= sharedBy) return null
    const home = credential.uses.find((u) => u !== stranger)
    return {
      score: 0,
      severity: 'critical',
      value: stranger.address,
      observed: {
        address: stranger.address,
        credential: activity.credential,
        since: new Date(stranger.first).toISOString(),
      },
      expected: {
        pod: issuance.workload ?? '',
        node: issuance.node,
        address: home?.address ?? [...(nodes ?? [])].join(' '),
      },
      text: `Token ${quote(activity.credential)} of pod ${quote(issuance.workload ?? '')} on node ${quote(issuance.node)} was used from ${quote(stranger.address)}; the pod calls from ${quote(home?.address ?? [...(nodes ?? [])].join(' '))}.`,
    }
  },
})

/**
 * The use that contradicts issuance. With the node's address known and the pod calling from it, any other address at once;
 * otherwise only when the first address is seen again after the second appeared: a silent old address is a move.
 */
function strangeUse(
  uses: readonly CredentialUse[],
  here: CredentialUse,
  nodes: ReadonlySet<string> | undefined,
): CredentialUse | null {
  const first = uses[0]
  if (first === undefined || uses.length < 2) return null
  if (nodes?.has(first.address) === true && here !== first && !nodes.has(here.address)) return here
  if (here === first)
    return uses.find((u) => u !== first && u.first < here.last && nodes?.has(u.address) !== true) ?? null
  return null
}

function nodeIdentity({ activity }: Subject, node: string): string {
  return `k8s:${activity.identity.tenant}:system:node:${node}`
}

function bound() {
  return {
    kind: 'kubernetes',
    authMethod: 'bound-token',
    credential: 'JTI=1',
    issuance: { workload: 'shop/checkout-1', workloadUid: 'u1', node: 'node-a' },
  } as const
}

function privateOrigin(address: string) {
  return {
    kind: 'private',
    network: 'private:10.0.0.0/8',
    address,
    prefix: '10.0.0.0/24',
    country: '',
  } as const
}

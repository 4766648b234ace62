import { hashNumbers, Random } from '../random.ts'

/** The machines of the cluster, in private space behind one VPC. */
export interface Node {
  readonly name: string
  readonly uid: string
  readonly address: string
  /** Hash of the kubelet's client certificate. */
  readonly certificate: string
}

export function createNodes(seed: number, count: number): readonly Node[] {
  return Array.from({ length: count }, (_, index) => {
    const random = new Random(seed, 500 + index)
    const third = 8 + (hashNumbers(seed, index, 31) % 6)
    // The low digits are the node's own number: two nodes never share an address.
    const address = `10.40.${third}.${10 + (index % 240)}`
    return {
      name: `ip-${address.replaceAll('.', '-')}.eu-west-1.compute.internal`,
      uid: random.uuid(),
      address: index < 240 ? address : `10.41.${Math.floor(index / 240)}.${10 + (index % 240)}`,
      certificate: random.hex(64),
    }
  })
}

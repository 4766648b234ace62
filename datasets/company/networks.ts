import { hashNumbers, hashText, type Random } from '../random.ts'

/**
 * Where the synthetic company and its attackers sit: /24 blocks of real networks, so that country and network look-ups
 * answer as they do in life. The hosts in them are invented; nobody in them did any of this.
 */
export const NETWORKS = {
  awsIreland: ['3.248.17', '34.240.10', '52.16.33', '54.72.1', '63.32.8', '99.80.1', '18.200.3', '54.194.2'],
  awsFrankfurt: ['3.120.5', '18.184.2', '18.156.3', '35.156.3'],
  azure: ['20.42.3', '13.74.3', '4.175.3', '20.42.9', '13.74.12', '4.175.40'],
  google: ['34.76.3', '34.76.19'],
  hetzner: ['5.9.10', '88.198.4', '78.46.3', '46.4.3', '136.243.2'],
  telekom: ['79.192.10', '87.128.44', '93.192.4', '217.80.3', '62.153.4', '80.156.3', '194.25.0'],
  noris: ['213.95.3', '213.95.18'],
  colt: ['213.61.3', '213.61.20'],
  comcast: ['73.158.2', '24.6.7', '98.207.33'],
  bt: ['86.130.4', '86.130.77'],
  orange: ['90.112.3', '90.112.40'],
  free: ['82.64.3', '82.64.90'],
  kpn: ['145.53.2', '145.53.60'],
  sunrise: ['62.2.3', '62.2.44'],
  vimpelcom: ['95.24.3'],
  viettel: ['117.4.5'],
  vnpt: ['113.160.3'],
  claro: ['177.32.5'],
  swift: ['41.58.3'],
  jio: ['49.36.3'],
  digitalOcean: ['165.227.3', '138.197.2'],
  torExit: ['185.220.101'],
} as const satisfies Readonly<Record<string, readonly string[]>>

export type Network = keyof typeof NETWORKS

/** One host of a network, always the same for the same key. */
export function hostIn(network: Network, key: number): string {
  const blocks: readonly string[] = NETWORKS[network]
  const block = blocks[hashNumbers(key, 1) % blocks.length] ?? blocks[0] ?? ''
  return `${block}.${4 + (hashNumbers(key, 2) % 240)}`
}

/** Another host of a network, in another block where the network has several. */
export function otherHostIn(network: Network, key: number): string {
  const first = hostIn(network, key)
  const block = first.slice(0, first.lastIndexOf('.'))
  for (let turn = 1; turn < 16; turn += 1) {
    const host = hostIn(network, hashNumbers(key, turn, 7))
    if (!host.startsWith(`${block}.`)) return host
  }
  return hostIn(network, hashNumbers(key, 1, 7))
}

/** A host that an attack comes from. */
export function attackerIn(network: Network, random: Random): string {
  return hostIn(network, hashNumbers(random.uint32(), hashText(network)))
}

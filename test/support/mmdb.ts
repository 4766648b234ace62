import { type Block, parseBlock } from '../../ingest/address.ts'

/**
 * A small writer of MaxMind databases (format 2.0, 24-bit records), so that tests can open files of every shape: IPv4
 * alone, IPv6 alone, cities, networks. Blocks must not overlap.
 */
export type MmdbValue = string | number | { readonly [key: string]: MmdbValue } | readonly MmdbValue[]

export function mmdb(options: {
  readonly type: string
  readonly ipVersion: 4 | 6
  readonly records: Readonly<Record<string, MmdbValue>>
}): Buffer {
  // A child is a node's index, the negative offset of its data (−1 − offset), or null for "nothing here".
  const nodes: (number | null)[][] = [[null, null]]
  const data: Buffer[] = []
  let dataLength = 0
  for (const [text, value] of Object.entries(options.records)) {
    const block = parseBlock(text)
    if (block === undefined) throw new Error(`not a block: ${text}`)
    const bits = bitsOf(block, options.ipVersion)
    let node = 0
    for (let depth = 0; depth < bits.length - 1; depth++) {
      const children = nodes[node] ?? []
      let next = children[bits[depth] ?? 0] ?? null
      if (next === null) {
        next = nodes.push([null, null]) - 1
        children[bits[depth] ?? 0] = next
      }
      node = next
    }
    const children = nodes[node] ?? []
    children[bits.at(-1) ?? 0] = -1 - dataLength
    const bytes = encode(value)
    data.push(bytes)
    dataLength += bytes.length
  }
  const tree = Buffer.alloc(nodes.length * 6)
  nodes.forEach((children, node) => {
    children.forEach((child, side) => {
      const record = child === null ? nodes.length : child >= 0 ? child : nodes.length + 16 + (-1 - child)
      tree.writeUIntBE(record, node * 6 + side * 3, 3)
    })
  })
  const metadata = encode({
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    build_epoch: 1_780_000_000,
    database_type: options.type,
    description: { en: 'made by a test' },
    ip_version: options.ipVersion,
    languages: ['en'],
    node_count: nodes.length,
    record_size: 24,
  })
  const marker = Buffer.concat([Buffer.from([0xab, 0xcd, 0xef]), Buffer.from('MaxMind.com')])
  return Buffer.concat([tree, Buffer.alloc(16), ...data, marker, metadata])
}

function bitsOf({ address, length }: Block, ipVersion: 4 | 6): number[] {
  if (ipVersion === 4 && address.family === 6) throw new Error('IPv6 in a database of IPv4')
  const words = address.family === 4 ? [address.w0] : [address.w0, address.w1, address.w2, address.w3]
  const bits = words.flatMap((word) => Array.from({ length: 32 }, (_, bit) => (word >>> (31 - bit)) & 1))
  const own = bits.slice(0, length)
  return address.family === 4 && ipVersion === 6 ? [...new Array<number>(96).fill(0), ...own] : own
}

function encode(value: MmdbValue): Buffer {
  if (typeof value === 'string') {
    const bytes = Buffer.from(value, 'utf8')
    return Buffer.concat([control(2, bytes.length), bytes])
  }
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(value)
    return Buffer.concat([control(6, 4), bytes])
  }
  if (Array.isArray(value)) return Buffer.concat([control(11, value.length), ...value.map(encode)])
  const entries = Object.entries(value)
  return Buffer.concat([
    control(7, entries.length),
    ...entries.flatMap(([key, item]) => [encode(key), encode(item)]),
  ])
}

/** Control byte of a type and size; types above 7 are written as extended types. */
function control(type: number, size: number): Buffer {
  const [short, extra] = size < 29 ? [size, []] : [29, [size - 29]]
  return type <= 7 ? Buffer.from([(type << 5) | short, ...extra]) : Buffer.from([short, type - 7, ...extra])
}

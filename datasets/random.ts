/**
 * Seeded randomness for the synthetic company: sfc32 (Chris Doty-Humphrey's small fast counting generator, 128 bits of
 * state) and the few distributions that logs need. One object is re-seeded for every identity-hour and every record, so
 * that any record can be made again without making those before it.
 */
export class Random {
  #a = 0
  #b = 0
  #c = 0
  #counter = 1

  constructor(first: number, second = 0, third = 0, fourth = 0) {
    this.seed(first, second, third, fourth)
  }

  /** Starts again from these four words; the same words give the same sequence. */
  seed(first: number, second = 0, third = 0, fourth = 0): this {
    this.#a = first | 0
    this.#b = second | 0
    this.#c = third | 0
    this.#counter = (Math.imul(fourth | 0, 0x9e3779b1) + 1) | 0
    // Neighbouring seeds are the rule here (hour 7, hour 8): without these rounds their first outputs would be alike.
    for (let round = 0; round < 12; round += 1) this.uint32()
    return this
  }

  /** Uniform in 0 … 2³²−1. */
  uint32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    this.#c |= 0
    return sum >>> 0
  }

  /** Uniform in [0, 1). */
  float(): number {
    return this.uint32() / 4_294_967_296
  }

  /** Uniform integer in 0 … below − 1. */
  int(below: number): number {
    return Math.floor(this.float() * below)
  }

  /** Uniform integer in from … to, both included. */
  between(from: number, to: number): number {
    return from + this.int(to - from + 1)
  }

  chance(probability: number): boolean {
    return this.float() < probability
  }

  /** One of them. Throws RangeError on an empty list: there is nothing to return. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.int(items.length)]
    if (item === undefined) throw new RangeError('pick from an empty list')
    return item
  }

  /** Standard normal, by Box and Muller. */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.float()))
    return radius * Math.cos(2 * Math.PI * this.float())
  }

  /** Gamma with mean 1 and the given shape (≥ 1), by Marsaglia and Tsang (2000). */
  gamma(shape: number): number {
    const d = shape - 1 / 3
    const c = 1 / Math.sqrt(9 * d)
    for (;;) {
      const x = this.normal()
      const v = (1 + c * x) ** 3
      if (v <= 0) continue
      const u = 1 - this.float()
      if (Math.log(u) < 0.5 * x * x + d - d * v + d * Math.log(v)) return (d * v) / shape
    }
  }

  /** Poisson by Knuth's product, beyond a mean of 30 by its normal approximation. */
  poisson(mean: number): number {
    if (mean <= 0) return 0
    if (mean > 30) return Math.max(0, Math.round(mean + Math.sqrt(mean) * this.normal()))
    const limit = Math.exp(-mean)
    let count = 0
    for (let product = this.float(); product > limit; product *= this.float()) count += 1
    return count
  }

  /** Log-normal around a median. */
  logNormal(median: number, sigma: number): number {
    return median * Math.exp(sigma * this.normal())
  }

  /** Lower-case hexadecimal digits. */
  hex(digits: number): string {
    let text = ''
    while (text.length < digits) text += hex8(this.uint32())
    return text.length === digits ? text : text.slice(0, digits)
  }

  /** A version-4 UUID. */
  uuid(): string {
    const a = hex8(this.uint32())
    const b = hex8(this.uint32())
    const c = hex8(this.uint32())
    const d = hex8(this.uint32())
    return `${a}-${b.slice(0, 4)}-4${b.slice(5)}-${'89ab'[Number.parseInt(c[0] ?? '0', 16) & 3]}${c.slice(1, 4)}-${c.slice(4)}${d}`
  }

  /** Characters of an alphabet. */
  letters(count: number, alphabet: string): string {
    let text = ''
    for (let i = 0; i < count; i += 1) text += alphabet[this.int(alphabet.length)] ?? ''
    return text
  }
}

const BYTES = Array.from({ length: 65_536 }, (_, value) => value.toString(16).padStart(4, '0'))

function hex8(word: number): string {
  return `${BYTES[word >>> 16] ?? ''}${BYTES[word & 0xffff] ?? ''}`
}

/** 32-bit hash of a text: FNV-1a with murmur3's finaliser. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return mix(hash)
}

/** 32-bit hash of a few integers. */
export function hashNumbers(first: number, second: number, third = 0, fourth = 0): number {
  return mix(mix(mix(mix(first) ^ second) ^ third) ^ fourth)
}

function mix(value: number): number {
  let hash = (value + 0x9e3779b9) | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** Draws indexes in proportion to weights. */
export function weightedIndex(weights: readonly number[]): (random: Random) => number {
  const sums: number[] = []
  let total = 0
  for (const weight of weights) {
    total += weight
    sums.push(total)
  }
  return (random) => {
    const at = random.float() * total
    const found = sums.findIndex((sum) => at < sum)
    return found < 0 ? sums.length - 1 : found
  }
}

/** Bytes that grow; the parts of a Native block are made of them. Numbers are little-endian, whatever the machine. */
export class ByteSink {
  #bytes = Buffer.allocUnsafeSlow(FIRST_SIZE)
  #view = viewOf(this.#bytes)
  #length = 0

  get length(): number {
    return this.#length
  }

  /** What was written. The bytes are those of the sink: they change once it is cleared. */
  written(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  /** Forgets what was written, and gives back memory that only an unusual block needed. */
  clear(): void {
    this.#length = 0
    if (this.#bytes.length <= KEPT_SIZE) return
    this.#bytes = Buffer.allocUnsafeSlow(FIRST_SIZE)
    this.#view = viewOf(this.#bytes)
  }

  uint8(value: number): void {
    const at = this.#claim(1)
    this.#view.setUint8(at, value)
  }

  uint16(value: number): void {
    const at = this.#claim(2)
    this.#view.setUint16(at, value, true)
  }

  /** The lower 32 bits of an integer, of either sign. */
  int32(value: number): void {
    const at = this.#claim(4)
    this.#view.setUint32(at, value >>> 0, true)
  }

  /** An integer of either sign, exact up to 2^53. */
  int64(value: number): void {
    const at = this.#claim(8)
    // `>>> 0` is modulo 2^32 for negative numbers too, so that the halves make two's complement.
    this.#view.setUint32(at, value >>> 0, true)
    this.#view.setInt32(at + 4, Math.floor(value / 4_294_967_296), true)
  }

  float64(value: number): void {
    const at = this.#claim(8)
    this.#view.setFloat64(at, value, true)
  }

  /** ClickHouse's VarUInt: seven bits a byte, the lowest first. */
  varint(value: number): void {
    const at = this.#claim(VARINT_SIZE)
    this.#length = putVarint(this.#bytes, at, value)
  }

  /** Length and UTF-8 bytes; a lone surrogate becomes U+FFFD. */
  text(text: string): void {
    const { length } = text
    if (length > SHORT) {
      this.#longText(text)
      return
    }
    const start = this.#length
    let at = this.#claim(length + 1)
    const bytes = this.#bytes
    bytes[at++] = length
    for (let index = 0; index < length; index++) {
      const code = text.charCodeAt(index)
      if (code > 127) {
        this.#length = start
        this.#longText(text)
        return
      }
      bytes[at++] = code
    }
  }

  #longText(text: string): void {
    // The length of the bytes is known only when they are written: room is left for that of the characters, which is
    // it for ASCII, and otherwise takes at most one byte less.
    const start = this.#length
    const guessed = varintSize(text.length)
    let at = this.#claim(VARINT_SIZE + 1 + text.length * 3)
    const size = this.#bytes.write(text, at + guessed, 'utf8')
    const needed = varintSize(size)
    if (needed !== guessed) this.#bytes.copyWithin(start + needed, start + guessed, start + guessed + size)
    at = putVarint(this.#bytes, at, size)
    this.#length = at + size
  }

  /** Makes room and gives its place. */
  #claim(size: number): number {
    const at = this.#length
    this.#length = at + size
    if (this.#length > this.#bytes.length) this.#grow(at)
    return at
  }

  #grow(used: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#length))
    this.#bytes.copy(larger, 0, 0, used)
    this.#bytes = larger
    this.#view = viewOf(larger)
  }
}

const FIRST_SIZE = 1024
const KEPT_SIZE = 1_048_576
const VARINT_SIZE = 8
/** Up to this many characters a loop is faster than the call out of JavaScript; below 128, so that the length is one byte. */
const SHORT = 64

const viewOf = (bytes: Buffer): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)

function varintSize(value: number): number {
  let size = 1
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) size++
  return size
}

/** Writes a VarUInt and gives the place after it. */
function putVarint(bytes: Buffer, start: number, value: number): number {
  let at = start
  let rest = value
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 128
  bytes[at++] = rest
  return at
}

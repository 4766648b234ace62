import { createHash, timingSafeEqual } from 'node:crypto'

/** What an Authorization header is worth. */
export type TokenVerdict = 'right' | 'missing' | 'wrong'

const SCHEME = /^Bearer +([\x21-\x7e]+) *$/i

/**
 * Checks bearer tokens against one token, of which only the SHA-256 is kept. Hashes are compared, in constant time: the
 * time tells nothing of how much of a guess was right, nor how long the token is.
 */
export function createTokenCheck(token: string): (authorization: string | undefined) => TokenVerdict {
  const expected = sha256(token)
  return (authorization) => {
    if (authorization === undefined) return 'missing'
    const given = SCHEME.exec(authorization)?.[1]
    if (given === undefined) return 'missing'
    return timingSafeEqual(sha256(given), expected) ? 'right' : 'wrong'
  }
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()

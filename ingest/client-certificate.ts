/**
 * Envoy's `x-forwarded-client-cert`: elements `Key=value;Key="quoted value"` separated by commas, one per hop. Linear; a
 * malformed header yields what could be read.
 */
export interface ClientCertificate {
  readonly hash: string
  readonly uri: string
}

/** The last element: the one this proxy wrote itself, when earlier hops' elements are kept (`APPEND_FORWARD`). */
export function lastCertificate(header: string): ClientCertificate {
  let hash = ''
  let uri = ''
  let at = 0
  while (at < header.length) {
    const equals = header.indexOf('=', at)
    if (equals < 0) break
    const key = header.slice(at, equals).trim().toLowerCase()
    let end: number
    let value: string
    if (header[equals + 1] === '"') {
      let close = equals + 2
      while (close < header.length && header[close] !== '"') close += header[close] === '\\' ? 2 : 1
      value = header.slice(equals + 2, close)
      end = close + 1
    } else {
      end = equals + 1
      while (end < header.length && header[end] !== ';' && header[end] !== ',') end++
      value = header.slice(equals + 1, end)
    }
    if (key === 'hash') hash = value
    if (key === 'uri' && uri === '') uri = value
    if (header[end] === ',') {
      // A new element: forget the hop before.
      if (header.indexOf('=', end) >= 0) {
        hash = ''
        uri = ''
      }
    }
    at = end + 1
  }
  return { hash, uri }
}

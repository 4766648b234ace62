import { isUtf8 } from 'node:buffer'
import { gunzipSync } from 'node:zlib'
import { decodeBase64, isDeadLetterExport } from './dead-letters.ts'
import { ElementList, MAX_ELEMENTS, type Place } from './elements.ts'
import { isGzip } from './gzip.ts'
import { type DeadVerdict, dead, type Verdict } from './outcome.ts'
import type { JsonObject, Source } from './source.ts'

/**
 * Containers around records: lists (`Records`, `records`, `items`, `logEvents`, plain arrays), envelopes of one record
 * (EventBridge, SNS, SQS, Fluent Bit, Vector, Filebeat, our own dead letters) and encodings (JSON in a string, gzip in
 * base64). A value that a source recognises is a record, whatever it contains; only others are looked into.
 */

/** Containers inside containers, at most. Real pipelines need three; more is an attack or a mistake. */
export const MAX_CONTAINERS = 4
/** Bytes that base64 and gzip inside one line or document may expand to, all together. */
export const MAX_EXPANDED_BYTES = 64 * 1024 * 1024

export interface Recogniser {
  readonly recognise: (record: JsonObject) => Source | undefined
  readonly recogniseLine: (
    line: string,
  ) => { readonly source: Source; readonly record: JsonObject } | undefined
  /** A source that the operator named: takes every object that is neither recognised nor a container. */
  readonly forced: Source | undefined
}

export type Unwrapped =
  | {
      readonly kind: 'record'
      readonly source: Source
      readonly record: JsonObject
      /** The line of a text record; '' for an object. */
      readonly text: string
      readonly place: Place
    }
  | { readonly kind: 'refused'; readonly verdict: Verdict<never>; readonly place: Place }

/** Lists under a name. Anything else of that name that is not an array is not a container. */
export const LIST_KEYS = ['Records', 'records', 'logEvents', 'events', 'Events'] as const

export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * The records inside a parsed line or document, in order, each recognised or refused; at least one of them, except for an
 * empty list. Never throws. Pure.
 */
export function unwrap(value: unknown, root: Place, recogniser: Recogniser): Unwrapped[] {
  const walk: Walk = { found: [], recogniser, expandable: MAX_EXPANDED_BYTES, elements: 0 }
  visitWhole(value, root, 0, walk)
  return walk.found
}

interface Walk {
  readonly found: Unwrapped[]
  readonly recogniser: Recogniser
  expandable: number
  /** Of all lists so far. */
  elements: number
}

/** A line, a document or an element of a list: something that must end in a verdict. */
function visitWhole(value: unknown, place: Place, depth: number, walk: Walk): void {
  if (!visit(value, place, depth, walk)) settle(value, place, walk)
}

/** The verdict on a value that nobody recognised and that contains nothing. */
function settle(value: unknown, place: Place, walk: Walk): void {
  if (!isJsonObject(value)) {
    refuse(walk, place, dead('container', 'not-an-object', `${nameOf(value)} where a record should be`))
    return
  }
  const { forced } = walk.recogniser
  if (forced !== undefined && forced.format === 'json') {
    walk.found.push({ kind: 'record', source: forced, record: value, text: '', place })
    return
  }
  refuse(walk, place, unrecognised(value))
}

const unrecognised = (value: JsonObject): DeadVerdict =>
  dead('recognise', 'unrecognised', `no source knows an object of ${keysOf(value)}`)

/** True when a verdict was given for everything in the value. */
function visit(value: unknown, place: Place, depth: number, walk: Walk): boolean {
  if (Array.isArray(value)) return visitList(value, place, depth, walk)
  if (!isJsonObject(value)) return false
  const source = walk.recogniser.recognise(value)
  if (source !== undefined) {
    walk.found.push({ kind: 'record', source, record: value, text: '', place })
    return true
  }
  if (isDeadLetterExport(value)) return visitDeadLetter(value, place, depth, walk)
  for (const key of LIST_KEYS) {
    const list = value[key]
    if (Array.isArray(list)) return visitNamedList(value, key, list, place, depth, walk)
  }
  if (Array.isArray(value.items) && typeof value.kind === 'string' && value.kind.endsWith('List')) {
    return visitList(value.items, { kind: 'member', parent: place, key: 'items' }, depth, walk)
  }
  return visitEnvelope(value, place, depth, walk)
}

function visitNamedList(
  value: JsonObject,
  key: string,
  list: readonly unknown[],
  place: Place,
  depth: number,
  walk: Walk,
): boolean {
  const member: Place = { kind: 'member', parent: place, key }
  if (key !== 'logEvents' && key !== 'events') return visitList(list, member, depth, walk)
  if (value.messageType === 'CONTROL_MESSAGE') {
    // CloudWatch checks that a new destination answers: understood, and no behaviour of anybody.
    refuse(walk, place, { outcome: 'filtered', reason: 'control-message' })
    return true
  }
  if (tooDeep(member, depth, walk) || tooMany(list, member, walk)) return true
  const elements = new ElementList(member)
  list.forEach((element: unknown, index) => {
    const at: Place = { kind: 'element', list: elements, index }
    // The list and the `message` of its elements are one container.
    const message = isJsonObject(element) ? element.message : undefined
    if (typeof message === 'string' && visitText(message, at, depth + 1, walk)) return
    visitWhole(element, at, depth + 1, walk)
  })
  return true
}

function visitList(list: readonly unknown[], place: Place, depth: number, walk: Walk): boolean {
  if (tooDeep(place, depth, walk) || tooMany(list, place, walk)) return true
  const elements = new ElementList(place)
  for (let index = 0; index < list.length; index++) {
    visitWhole(list[index], { kind: 'element', list: elements, index }, depth + 1, walk)
  }
  return true
}

/** An envelope of one record. False when nothing inside is a record: then the envelope itself is what nobody recognised. */
function visitEnvelope(value: JsonObject, place: Place, depth: number, walk: Walk): boolean {
  if (typeof value['detail-type'] === 'string' && isJsonObject(value.detail)) {
    return visitMember(value.detail, 'detail', place, depth, walk)
  }
  const nested: readonly unknown[] = [
    value.CloudTrailEvent, // aws cloudtrail lookup-events
    value.Message, // SNS
    isJsonObject(value.Sns) ? value.Sns.Message : undefined, // SNS to Lambda
    value.Body, // SQS
    value.body, // SQS to Lambda
    value['event.original'], // Filebeat, Vector (flattened)
    isJsonObject(value.event) ? value.event.original : undefined, // Filebeat, ECS
    value.log, // Fluent Bit, Docker
    value.message, // Filebeat, Vector, Logstash
  ]
  for (const text of nested) {
    if (typeof text === 'string' && visitPayload(text, place, depth, walk)) return true
  }
  for (const key of ['log', 'message'] as const) {
    const inner = value[key]
    if (isJsonObject(inner) && visitMember(inner, key, place, depth, walk)) return true
  }
  const encoded: readonly unknown[] = [
    isJsonObject(value.awslogs) ? value.awslogs.data : undefined, // CloudWatch Logs to Lambda
    isJsonObject(value.kinesis) ? value.kinesis.data : undefined, // Kinesis to Lambda
    value.data, // Firehose, Kinesis
  ]
  for (const text of encoded) {
    if (typeof text === 'string' && visitEncoded(text, place, depth, walk)) return true
  }
  return false
}

function visitMember(inner: JsonObject, key: string, place: Place, depth: number, walk: Walk): boolean {
  if (tooDeep(place, depth, walk)) return true
  return visit(inner, { kind: 'member', parent: place, key }, depth + 1, walk)
}

function visitPayload(text: string, place: Place, depth: number, walk: Walk): boolean {
  if (depth >= MAX_CONTAINERS) {
    // Only a payload that looks like more JSON is a container too many; a `message` of prose is just an unknown record.
    return startsLikeJson(text) && tooDeep(place, depth, walk)
  }
  return visitText(text, place, depth + 1, walk)
}

/** A raw line or JSON text inside a string. Line breaks at its end are the shipper's (Docker keeps them). */
function visitText(raw: string, place: Place, depth: number, walk: Walk): boolean {
  const text = raw.trimEnd()
  if (text === '') return false
  if (startsLikeJson(text)) {
    const value = parseJson(text)
    if (typeof value === 'object') {
      const inner: Place = { kind: 'payload', parent: place, payload: text }
      if (visit(value, inner, depth, walk)) return true
    }
  }
  const known = walk.recogniser.recogniseLine(text)
  if (known === undefined) return false
  walk.found.push({ kind: 'record', source: known.source, record: known.record, text, place })
  return true
}

/** Base64 of JSON text, or of gzip of it. Anything else in `data` is not a container. */
function visitEncoded(encoded: string, place: Place, depth: number, walk: Walk): boolean {
  const bytes = decodeBase64(encoded)
  if (bytes === undefined || bytes.length === 0) return false
  const first = bytes[0]
  if (!isGzip(bytes) && first !== 123 && first !== 91) return false
  if (tooDeep(place, depth, walk)) return true
  const plain = expand(bytes, place, walk)
  if (plain === undefined) return true
  return visitText(plain.toString(), place, depth + 1, walk)
}

/** The uncompressed UTF-8 bytes, or undefined when they were refused. Bounded for the whole line, against gzip bombs. */
function expand(bytes: Buffer, place: Place, walk: Walk): Buffer | undefined {
  let plain = bytes
  if (isGzip(bytes)) {
    try {
      plain = gunzipSync(bytes, { maxOutputLength: Math.max(1, walk.expandable) })
    } catch {
      const detail = 'compressed payload is damaged, or expands beyond the limit'
      refuse(walk, place, dead('container', 'bad-gzip', detail))
      return undefined
    }
  }
  walk.expandable -= plain.length
  if (isUtf8(plain)) return plain
  refuse(walk, place, dead('read', 'invalid-utf8', 'the encoded payload is not valid UTF-8'))
  return undefined
}

/** One of our own dead letters, to be judged again: its bytes are the record, so that a second death yields the same letter. */
function visitDeadLetter(letter: JsonObject, place: Place, depth: number, walk: Walk): boolean {
  if (tooDeep(place, depth, walk)) return true
  const bytes = typeof letter.bytes === 'string' ? decodeBase64(letter.bytes) : undefined
  if (bytes === undefined || bytes.length === 0) {
    refuse(walk, place, dead('container', 'bad-dead-letter', 'bytes: not base64, or empty'))
    return true
  }
  const root: Place = { kind: 'root', bytes }
  const plain = expand(bytes, root, walk)
  if (plain === undefined) return true
  const text = plain.toString()
  if (visitText(text, root, depth + 1, walk)) return true
  const value = startsLikeJson(text) ? parseJson(text) : undefined
  if (value === undefined) refuse(walk, root, notJson(text))
  else settle(value, root, walk)
  return true
}

function tooDeep(place: Place, depth: number, walk: Walk): boolean {
  if (depth < MAX_CONTAINERS) return false
  refuse(
    walk,
    place,
    dead('container', 'too-deep', `more than ${MAX_CONTAINERS} containers inside each other`),
  )
  return true
}

/** A list that would be too much is refused as a whole, before its elements become records. */
function tooMany(list: readonly unknown[], place: Place, walk: Walk): boolean {
  walk.elements += list.length
  if (walk.elements <= MAX_ELEMENTS) return false
  refuse(walk, place, dead('container', 'too-many-elements', `more than ${MAX_ELEMENTS} in lists`))
  return true
}

function refuse(walk: Walk, place: Place, verdict: Verdict<never>): void {
  walk.found.push({ kind: 'refused', verdict, place })
}

/** A line that neither parses nor matches a text source. Says what it looked like, never what it said. */
export function notJson(text: string): DeadVerdict {
  const looks = startsLikeJson(text)
    ? 'begins like JSON but does not parse, or holds too many values'
    : 'neither JSON nor a line of a known format'
  return dead('parse', 'not-json', `${looks}, ${text.length} characters`)
}

/** Does the text begin, after white space, with a brace or a bracket? */
export function startsLikeJson(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 32 || code === 9 || code === 10 || code === 13) continue
    return code === 123 || code === 91
  }
  return false
}

/** Longer texts are looked at before they are parsed. */
const UNSEEN_CHARACTERS = 1024 * 1024
const MOST_VALUES = 2_000_000
/** Real logs have one value in about twenty characters, the field managers of Kubernetes one in eight. */
const CHARACTERS_PER_VALUE = 8

/** The value, or undefined when the text is not JSON, or nothing but values: `[[],[],…]` takes twenty times its length. */
export function parseJson(text: string): unknown {
  if (text.length > UNSEEN_CHARACTERS && isMostlyValues(text)) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** More commas and opening brackets than a log has. Those in strings count too: they are rare enough. */
function isMostlyValues(text: string): boolean {
  const most = MOST_VALUES + text.length / CHARACTERS_PER_VALUE
  let values = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 44 || code === 91 || code === 123) values++
  }
  return values > most
}

function nameOf(value: unknown): string {
  if (value === null) return 'null'
  return typeof value === 'string' ? 'a string' : `a ${typeof value}`
}

/** The first names of an object, for people: names only, because values may be secrets. */
function keysOf(value: JsonObject): string {
  const names: string[] = []
  for (const name in value) {
    if (names.length === 8) {
      names.push('…')
      break
    }
    names.push(name.length > 32 ? `${name.slice(0, 31)}…` : name)
  }
  return names.length === 0 ? 'no fields' : names.join(', ')
}

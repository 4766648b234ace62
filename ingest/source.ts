import type { z } from 'zod'
import type { Draft, Kind } from './activity.ts'
import { conforms } from './conforms.ts'
import { dead, type Verdict } from './outcome.ts'

/**
 * Vocabulary of a source file (`ingest/sources/<id>.ts`, found by scanning; the id is the file name):
 *
 * - **record**: one log entry, a JSON object or a text line.
 * - **recognises**: is this record of my format, judged by shape alone and cheaply?
 * - **schema**: strict about what is there, loose about what is missing; unknown fields are ignored.
 * - **normalise**: pure; record in, Draft (or a reason to filter, or a reason to refuse) out.
 * - **samples**: documented records the project wrote itself; each says what it must become.
 */
export interface JsonObject {
  readonly [key: string]: unknown
}

export interface SourceContext {
  /**
   * Name of the stream the record came from when the record does not say (cluster of a Kubernetes log, host of a syslog):
   * a setting or ''. Never the file name alone.
   */
  readonly tenant: string
  /** Arrival time, epoch ms: to infer the year of syslog times. Given, never read from the clock. */
  readonly arrival: number
  /**
   * Stable hash of the record for formats that carry no event id (sshd, Keycloak's text events, access logs). 128 bit, hex.
   * Computed on demand, because most records do not need it.
   */
  readonly recordHash: () => string
}

export interface Sample {
  readonly name: string
  /** A JSON object, or a text line. */
  readonly record: JsonObject | string
  /** `accepted`: these paths of the Draft must have these values (dotted paths). */
  readonly expect:
    | { readonly outcome: 'accepted'; readonly draft: Readonly<Record<string, unknown>> }
    | { readonly outcome: 'filtered' | 'dead'; readonly reason: string }
}

interface SourceText {
  readonly id: string
  readonly title: string
  readonly kind: Kind
  /** One sentence each, for the generated catalogue. */
  readonly sees: string
  readonly misses: string
  readonly needs: string
  /** Link to the producer's public documentation. */
  readonly documentation: string
}

export interface SourceDefinition<R> extends SourceText {
  /** `json`: records are JSON objects. `text`: records are lines, which `parseLine` turns into an object. */
  readonly format: 'json' | 'text'
  /** JSON sources: cheap guard on an untrusted object. Text sources: ignored (`parseLine` decides). */
  readonly recognises: (record: JsonObject) => boolean
  /** Text sources only: null when the line is not of this format. Must be linear-time on hostile lines. */
  readonly parseLine?: (line: string) => JsonObject | null
  readonly schema: z.ZodType<R>
  readonly normalise: (record: R, context: SourceContext) => Verdict<Draft>
  readonly samples: readonly Sample[]
}

/** A source with its record type closed over: what the registry and the runner hold. */
export interface Source extends SourceText {
  readonly format: 'json' | 'text'
  readonly recognises: (record: JsonObject) => boolean
  readonly parseLine: ((line: string) => JsonObject | null) | undefined
  readonly samples: readonly Sample[]
  /** Validates by the schema (dead letter `parse/wrong-type` with the path) and normalises. Never throws on any input. */
  readonly read: (record: JsonObject, context: SourceContext) => Verdict<Draft>
}

/**
 * Closes a definition over its record type. `read` never throws: a record of a surprising type becomes a dead letter that
 * names the path, and an exception inside `normalise` (a bug of ours) becomes `normalise/source-fault`, because one
 * hostile record must not stop the stream.
 */
export function defineSource<R>(definition: SourceDefinition<R>): Source {
  const { schema, normalise, parseLine, ...text } = definition
  const isRight = conforms(schema)
  return {
    ...text,
    parseLine,
    read(record, context) {
      let right: R
      if (isRight?.(record) === true) right = record
      else {
        const parsed = schema.safeParse(record)
        if (!parsed.success) {
          const issue = parsed.error.issues[0]
          return dead(
            'parse',
            'wrong-type',
            `${definition.id}: ${issue?.path.join('.') || '(record)'}: ${issue?.message ?? ''}`,
          )
        }
        right = parsed.data
      }
      try {
        return normalise(right, context)
      } catch (error) {
        return dead(
          'normalise',
          'source-fault',
          `${definition.id}: ${error instanceof Error ? error.message : 'unknown'}`,
        )
      }
    },
  }
}

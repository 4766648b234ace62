import { z } from 'zod'
import { isJsonObject } from './json-values.ts'

type Test = (value: unknown) => boolean

/**
 * A test whether a value is already what the schema describes, so that it can be used as it is. zod says the same and makes
 * a copy on the way, which was a third of the cost of reading a record.
 *
 * True means that `schema.safeParse` would succeed, and that its copy would differ only by fields the schema does not name.
 * Undefined for schemas that do more than describe types (checks, defaults, transforms, unions of objects): those are for
 * zod alone.
 */
export function conforms<R>(schema: z.ZodType<R>): ((value: unknown) => value is R) | undefined {
  const test = testOf(schema)
  return test === undefined ? undefined : (value): value is R => test(value)
}

function testOf(schema: unknown): Test | undefined {
  if (schema instanceof z.ZodOptional) return either(undefined, testOf(schema.unwrap()))
  if (schema instanceof z.ZodNullable) return either(null, testOf(schema.unwrap()))
  if (schema instanceof z.ZodUnknown) return () => true
  if (schema instanceof z.ZodString) return bare(schema.def) ? isText : undefined
  if (schema instanceof z.ZodNumber) return bare(schema.def) ? isNumber : undefined
  if (schema instanceof z.ZodBoolean) return bare(schema.def) ? isBoolean : undefined
  if (schema instanceof z.ZodUnion) return anyOf(schema.options.map(scalarTestOf))
  if (schema instanceof z.ZodArray) return bare(schema.def) ? each(testOf(schema.element)) : undefined
  if (schema instanceof z.ZodObject) {
    return bare(schema.def) && schema.def.catchall === undefined ? withFields(schema.shape) : undefined
  }
  return undefined
}

/** Of two objects the first that fits would be taken, without the fields of the other: not so here. */
function scalarTestOf(schema: unknown): Test | undefined {
  const test = testOf(schema)
  return test === isText || test === isNumber || test === isBoolean ? test : undefined
}

const isText: Test = (value) => typeof value === 'string'
const isNumber: Test = (value) => Number.isFinite(value)
const isBoolean: Test = (value) => typeof value === 'boolean'

/** No checks, no conversion, no format. */
function bare(definition: object): boolean {
  for (const [name, value] of Object.entries(definition)) {
    if (name === 'checks' && Array.isArray(value) && value.length === 0) continue
    if (!DESCRIBES.has(name) && value !== undefined && value !== false) return false
  }
  return true
}
/** What a definition says that is no more than a type. `catchall` is looked at by itself. */
const DESCRIBES: ReadonlySet<string> = new Set(['type', 'shape', 'element', 'catchall'])

function either(empty: null | undefined, test: Test | undefined): Test | undefined {
  return test === undefined ? undefined : (value) => value === empty || test(value)
}

function anyOf(tests: readonly (Test | undefined)[]): Test | undefined {
  const known = tests.filter((test) => test !== undefined)
  return known.length < tests.length ? undefined : (value) => known.some((test) => test(value))
}

function each(test: Test | undefined): Test | undefined {
  return test === undefined ? undefined : (value) => Array.isArray(value) && value.every(test)
}

function withFields(shape: Readonly<Record<string, unknown>>): Test | undefined {
  const names: string[] = []
  const tests: Test[] = []
  for (const [name, schema] of Object.entries(shape)) {
    const test = testOf(schema)
    if (test === undefined) return undefined
    names.push(name)
    tests.push(test)
  }
  return (value) => {
    if (!isJsonObject(value)) return false
    for (let at = 0; at < names.length; at++) {
      if (tests[at]?.(value[names[at] ?? '']) !== true) return false
    }
    return true
  }
}

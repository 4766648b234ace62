import type { JsonObject } from './source.ts'

/**
 * Reading of parts of a record that no schema describes, such as request parameters: whatever is missing or of another
 * type reads as empty. Only for keys fixed in our code, never for keys that came from a record.
 */
const NO_OBJECT: JsonObject = Object.freeze(Object.create(null))
const NO_LIST: readonly unknown[] = Object.freeze([])

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The value as an object, empty when it is none. */
export function asObject(value: unknown): JsonObject {
  return isJsonObject(value) ? value : NO_OBJECT
}

/** The value as text: '' when it is no string. */
export function asText(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

export function textAt(object: JsonObject, key: string): string {
  const value = object[key]
  return typeof value === 'string' ? value : ''
}

export function objectAt(object: JsonObject, key: string): JsonObject {
  return asObject(object[key])
}

export function listAt(object: JsonObject, key: string): readonly unknown[] {
  const value = object[key]
  return Array.isArray(value) ? value : NO_LIST
}

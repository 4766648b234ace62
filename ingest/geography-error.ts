export const GEOGRAPHY_ERROR_CODES = [
  'unreadable', // the file is missing, or the operating system refused it
  'not-a-database', // not a MaxMind database (mmdb), or a damaged one
  'wrong-database', // a MaxMind database of something else: networks where countries were asked for
  'not-asn-table', // not a table of `first,last,number,organisation` rows
  'not-cloud-ranges', // none of the known formats of published cloud ranges
  'missing-package', // the data package is not installed
] as const
export type GeographyErrorCode = (typeof GEOGRAPHY_ERROR_CODES)[number]

/** A broken geography file: the system must not start, because it would call every place unknown. Branch on `code`. */
export class GeographyError extends Error {
  readonly code: GeographyErrorCode
  readonly path: string

  constructor(code: GeographyErrorCode, path: string, message: string, cause?: unknown) {
    super(`${path}: ${message}`, cause === undefined ? undefined : { cause })
    this.name = 'GeographyError'
    this.code = code
    this.path = path
  }
}

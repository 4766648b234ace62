import type { Random } from '../random.ts'
import { API_ID } from './canonical-ids.ts'
import { isoSecond } from './iso-time.ts'
import type { CompanyRecord } from './record.ts'

export interface GatewayCall {
  /** Epoch ms. */
  readonly time: number
  readonly address: string
  readonly apiKeyId: string
  readonly userAgent: string
  readonly method: string
  /** The route template, e.g. `/v1/orders/{id}`. */
  readonly route: string
  readonly path: string
  readonly status: number
  readonly bytes: number
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const

/** One access-log line of API Gateway in Plumbline's published template. The request id is drawn from `random`. */
export function gatewayLine(call: GatewayCall, random: Random): string {
  const iso = isoSecond(call.time)
  const month = MONTHS[Number(iso.slice(5, 7)) - 1] ?? ''
  const error = call.status === 403 ? 'Forbidden' : call.status === 429 ? 'Too Many Requests' : '-'
  return `{"requestId":"${random.uuid()}","ip":"${call.address}","caller":"-","user":"-","requestTime":"${iso.slice(8, 10)}/${month}/${iso.slice(0, 4)}:${iso.slice(11, 19)} +0000","requestTimeEpoch":"${call.time}","httpMethod":"${call.method}","resourcePath":"${call.route}","path":"${call.path}","status":"${call.status}","protocol":"HTTP/1.1","responseLength":"${call.bytes}","apiId":"${API_ID}","stage":"prod","apiKeyId":"${call.apiKeyId}","principalId":"-","userAgent":"${call.userAgent}","errorMessage":"${error}"}`
}

export function gatewayRecord(call: GatewayCall, random: Random): CompanyRecord {
  return { time: call.time, source: 'aws-api-gateway', line: gatewayLine(call, random) }
}

import type { Random } from '../random.ts'
import { isoMillisecond } from './iso-time.ts'
import type { CompanyRecord } from './record.ts'

export interface OktaEvent {
  /** Epoch ms. */
  readonly time: number
  readonly eventType: string
  readonly clientId: string
  readonly clientName: string
  readonly address: string
  readonly asn: number
  readonly asOrg: string
  readonly country: string
  readonly userAgent: string
  readonly scopes: string
  /** `SUCCESS` when absent. */
  readonly failure?: string | undefined
}

/** One Okta System Log event of an OAuth client. The uuid is drawn from `random`. */
export function oktaLine(event: OktaEvent, random: Random): string {
  const outcome =
    event.failure === undefined ? '{"result":"SUCCESS"}' : `{"result":"FAILURE","reason":"${event.failure}"}`
  const place = `{"country":"${event.country}"}`
  return `{"uuid":"${random.uuid()}","version":"0","published":"${isoMillisecond(event.time)}Z","eventType":"${event.eventType}","legacyEventType":"app.oauth2.as.token.grant_success","displayMessage":"OAuth2 access token is granted","severity":"${event.failure === undefined ? 'INFO' : 'WARN'}","actor":{"id":"${event.clientId}","type":"PublicClientApp","alternateId":"${event.clientId}","displayName":"${event.clientName}"},"client":{"id":"${event.clientId}","ipAddress":"${event.address}","geographicalContext":${place},"userAgent":{"rawUserAgent":"${event.userAgent}","os":"Unknown","browser":"UNKNOWN"},"zone":"null","device":"Unknown"},"securityContext":{"asNumber":${event.asn},"asOrg":"${event.asOrg}","isProxy":false},"outcome":${outcome},"debugContext":{"debugData":{"grantType":"client_credentials","clientAuthType":"private_key_jwt","requestedScopes":"${event.scopes}","grantedScopes":"${event.failure === undefined ? event.scopes : ''}","requestUri":"/oauth2/v1/token","requestId":"${random.hex(24)}"}},"target":[{"id":"${random.hex(20)}","type":"access_token","alternateId":null,"displayName":"Access Token"}],"transaction":{"type":"WEB","id":"${random.hex(24)}"},"request":{"ipChain":[{"ip":"${event.address}","version":"V4","geographicalContext":${place}}]}}`
}

export function oktaRecord(event: OktaEvent, random: Random): CompanyRecord {
  return { time: event.time, source: 'okta', line: oktaLine(event, random) }
}

/** Plumbline's canonical ids for the identities that carry no ARN: one place to follow the sources. */

export const API_ID = 'syn4pi7a1b'
export const KEYCLOAK_REALM = 'synthetic'

export const gatewayKeyId = (key: string): string => `aws-api-gateway:${API_ID}:key:${key}`
export const vaultEntityId = (entity: string): string => `vault:root:entity:${entity}`
export const keycloakClientId = (client: string): string => `keycloak:${KEYCLOAK_REALM}:client:${client}`
/** An Okta record does not name its organisation: the stream's tenant does. */
export const oktaClientId = (tenant: string, client: string): string => `okta:${tenant}:client:${client}`

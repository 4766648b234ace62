import { hashNumbers, hashText, Random, weightedIndex } from '../random.ts'
import { keycloakClientId, oktaClientId, vaultEntityId } from './canonical-ids.ts'
import type { CastContext } from './cast-context.ts'
import { keycloakLine } from './keycloak-record.ts'
import { hostIn } from './networks.ts'
import { oktaLine } from './okta-record.ts'
import { type Actor, HOUR, MINUTE } from './record.ts'
import { callsIn, hourlyAt, roundTheClock } from './rhythm.ts'
import { VAULT_ANSWER, type VaultCall, type VaultToken, vaultLine } from './vault-record.ts'

export interface VaultActor extends Actor {
  readonly role: string
  readonly userAgent: string
  readonly tokenAt: (time: number, slot: number) => VaultToken
  readonly addressOf: (slot: number) => string
}

export interface KeycloakActor extends Actor {
  readonly clientId: string
  readonly userId: string
  readonly scope: string
}

const LOGIN = 1000
const RESPONSE = 5000
const VAULT_SLOTS = 2

/** Services that log in to Vault by AppRole every hour and read their own secrets in between. */
export function castVault(context: CastContext, count: number): readonly VaultActor[] {
  return Array.from({ length: count }, (_, index) => {
    const role = context.serviceName(index)
    const seed = hashNumbers(context.seed, hashText(`vault ${role}`))
    const entityId = new Random(seed, 1).uuid()
    const userAgent = `${role}/4.${index} (hvac/2.3.0)`
    const minuteOf = (slot: number): number => hashNumbers(seed, slot, 51) % 59
    const tokenAt = (time: number, slot: number): VaultToken => {
      const epoch = Math.floor((time - minuteOf(slot) * MINUTE) / HOUR)
      const random = new Random(seed, slot, epoch)
      return {
        role,
        entityId,
        tokenHash: random.hex(64),
        accessorHash: random.hex(64),
        issued: epoch * HOUR + minuteOf(slot) * MINUTE,
        policies: ['default', role],
      }
    }
    const addressOf = (slot: number): string => `10.20.${3 + (index % 200)}.${11 + slot}`
    const habits: readonly Pick<VaultCall, 'operation' | 'mount' | 'mountType' | 'path'>[] = [
      { operation: 'read', mount: 'kv/', mountType: 'kv', path: `kv/data/${role}/database` },
      { operation: 'read', mount: 'kv/', mountType: 'kv', path: `kv/data/${role}/partner-key` },
      { operation: 'update', mount: 'transit/', mountType: 'transit', path: `transit/encrypt/${role}` },
      { operation: 'update', mount: 'transit/', mountType: 'transit', path: `transit/decrypt/${role}` },
      { operation: 'update', mount: 'auth/token/', mountType: 'token', path: 'auth/token/renew-self' },
    ]
    const draw = weightedIndex([6, 3, 8, 8, 1])
    const rhythm = roundTheClock(16)
    return {
      identity: {
        id: vaultEntityId(entityId),
        source: 'vault-audit',
        archetype: 'vault-client',
        name: role,
        owner: context.ownerOf(role),
        human: false,
        habits:
          'Logs in by AppRole every hour from two hosts; reads its own secrets, encrypts with its own key.',
      },
      role,
      userAgent,
      tokenAt,
      addressOf,
      plan(hour, random, note) {
        const both = (time: number, operation: number, sequence: number): void => {
          // The answer must not fall into the next hour.
          const asked = Math.min(time, hour.start + HOUR - 1 - VAULT_ANSWER)
          note(asked, operation, sequence)
          note(asked + VAULT_ANSWER, operation + RESPONSE, sequence)
        }
        const calls = callsIn(rhythm, hour, random, context.scale)
        for (let piece = 0; piece < calls; piece += 1) {
          const slot = random.int(VAULT_SLOTS)
          const time = hour.start + Math.floor(rhythm.place(random, piece, calls))
          // Within a second of its login a token is not yet in use, so that question and answer show the same one.
          const late = time - tokenAt(time + 10, slot).issued < 1000 ? 1000 : 0
          both(time + late, draw(random) * VAULT_SLOTS + slot, piece)
        }
        for (let slot = 0; slot < VAULT_SLOTS; slot += 1) {
          both(hour.start + minuteOf(slot) * MINUTE, LOGIN + slot, calls + slot)
        }
      },
      write(time, operation, random) {
        const line = operation >= RESPONSE ? 'response' : 'request'
        const wanted = operation % RESPONSE
        const login = wanted >= LOGIN
        const slot = login ? wanted - LOGIN : wanted % VAULT_SLOTS
        const habit = habits[Math.floor(wanted / VAULT_SLOTS)]
        const call: VaultCall = {
          time,
          token: tokenAt(time, slot),
          address: addressOf(slot),
          userAgent,
          ...(login || habit === undefined
            ? {
                operation: 'update',
                mount: 'auth/approle/',
                mountType: 'approle',
                path: 'auth/approle/login',
                login: true,
              }
            : habit),
        }
        return vaultLine(call, line, random)
      },
    }
  })
}

/** Clients that fetch a token from Keycloak every few minutes; a mistyped scope now and then. */
export function castKeycloak(context: CastContext, count: number): readonly KeycloakActor[] {
  return Array.from({ length: count }, (_, index) => {
    const clientId = `${context.serviceName(index + 1)}-svc`
    const seed = hashNumbers(context.seed, hashText(`keycloak ${clientId}`))
    const userId = new Random(seed, 1).uuid()
    const rhythm = roundTheClock(14, 0.3, 0.9)
    const scope = index % 2 === 0 ? 'profile email' : 'orders:read'
    return {
      identity: {
        id: keycloakClientId(clientId),
        source: 'keycloak',
        archetype: 'keycloak-client',
        name: clientId,
        owner: context.ownerOf(clientId),
        human: false,
        habits:
          'Fetches a token by client secret every few minutes from two private hosts, always the same scopes.',
      },
      clientId,
      userId,
      scope,
      plan(hour, random, note) {
        const calls = callsIn(rhythm, hour, random, context.scale)
        for (let piece = 0; piece < calls; piece += 1) {
          note(
            hour.start + Math.floor(rhythm.place(random, piece, calls)),
            random.chance(0.004) ? 1 : 0,
            piece,
          )
        }
      },
      write(time, operation, random) {
        return keycloakLine(
          {
            time,
            type: operation === 1 ? 'CLIENT_LOGIN_ERROR' : 'CLIENT_LOGIN',
            error: operation === 1 ? 'invalid_scope' : undefined,
            clientId,
            userId,
            username: `service-account-${clientId}`,
            address: `10.30.${1 + (index % 200)}.${20 + random.int(2)}`,
            scope,
          },
          random,
        )
      },
    }
  })
}

/** Clients of outside tools that fetch tokens from Okta every hour, from one address each. */
export function castOkta(context: CastContext, count: number): readonly Actor[] {
  return Array.from({ length: count }, (_, index) => {
    const name = `${['hr-sync', 'ticketing', 'directory-export'][index % 3] ?? 'tool'}${index < 3 ? '' : `-${index}`}`
    const seed = hashNumbers(context.seed, hashText(`okta ${name}`))
    const clientId = `0oa${new Random(seed, 1).letters(17, 'abcdefghijklmnopqrstuvwxyz0123456789')}`
    const rhythm = hourlyAt(10 + ((index * 13) % 40), 5, 6)
    return {
      identity: {
        id: oktaClientId(context.tenant, clientId),
        source: 'okta',
        archetype: 'okta-client',
        name,
        owner: context.ownerOf(name),
        human: false,
        habits: 'Fetches tokens every hour at the same minute from one address in Germany.',
      },
      plan(hour, random, note) {
        const calls = callsIn(rhythm, hour, random, context.scale)
        for (let piece = 0; piece < calls; piece += 1) {
          note(hour.start + Math.floor(rhythm.place(random, piece, calls)), 0, piece)
        }
      },
      write(time, _operation, random) {
        return oktaLine(
          {
            time,
            eventType: 'app.oauth2.token.grant.access_token',
            clientId,
            clientName: name,
            address: hostIn('noris', seed),
            asn: 12337,
            asOrg: 'noris network ag',
            country: 'Germany',
            userAgent: 'okta-sdk-python/2.9.8 python/3.11.9 Linux/6.1',
            scopes: 'okta.users.read okta.groups.read',
          },
          random,
        )
      },
    }
  })
}

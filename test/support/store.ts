import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { StoreBatch, UnitRow } from '../../features/rows.ts'
import { openStore, type Store, type StoreOptions } from '../../features/store/connection.ts'
import type { Activity } from '../../ingest/activity.ts'

/**
 * Stores for tests: the real embedded engine in a directory of its own. The engine takes one directory per process, so a
 * test file shares it and every test opens a database of its own.
 */
export interface StoreFolder {
  readonly path: string
  /** A fresh, empty database in the folder. */
  open(options?: StoreOptions): Promise<Store>
  databaseOf(store: Store): string
  /** Closes what is still open and deletes the folder. */
  remove(): Promise<void>
}

export function storeFolder(): StoreFolder {
  const path = mkdtempSync(join(tmpdir(), 'plumbline-store-'))
  const stores = new Map<Store, string>()
  let number = 0
  return {
    path,
    async open(options = {}) {
      number += 1
      const store = await openStore({ path, database: `test_${number}`, ...options })
      stores.set(store, options.database ?? `test_${number}`)
      return store
    },
    databaseOf: (store) => stores.get(store) ?? '',
    async remove() {
      for (const store of stores.keys()) await store.close()
      rmSync(path, { recursive: true, force: true })
    },
  }
}

export const emptyBatch: StoreBatch = {
  alerts: [],
  held: [],
  units: [],
  presence: [],
  calibration: [],
  deadLetters: [],
  activities: [],
}

/** An ordinary activity; `id` names identity. */
export function activity(
  uid: string,
  identity: string,
  time: number,
  changes: Partial<Activity> = {},
): Activity {
  return {
    uid,
    time,
    source: 'cloudtrail',
    kind: 'cloudtrail',
    class: 'api_activity',
    identity: {
      id: identity,
      kind: 'role',
      provider: 'aws',
      tenant: '111122223333',
      human: 'no',
      humanReason: 'a role',
    },
    action: 's3.amazonaws.com:GetObject',
    service: 's3.amazonaws.com',
    accessLevel: 'read',
    effect: '',
    resourceClass: 's3:object',
    resources: ['arn:aws:s3:::bucket/key'],
    outcome: 'success',
    errorCode: '',
    credential: 'ASIAEXAMPLE',
    authMethod: 'session',
    session: 'session-1',
    issuance: {},
    origin: {
      kind: 'public',
      address: '198.51.100.7',
      prefix: '198.51.100.0/24',
      country: 'DE',
      asn: 64500,
      network: 'Example Networks',
    },
    userAgent: 'Boto3/1.34',
    userAgentFamily: 'boto3',
    region: 'eu-central-1',
    requestId: `request-${uid}`,
    actingAs: '',
    bytesOut: 10,
    details: {},
    ...changes,
  }
}

/** A closed hour that learnt one event. */
export function unit(identity: string, hour: number, changes: Partial<UnitRow> = {}): UnitRow {
  return {
    identity,
    hour,
    source: 'cloudtrail',
    events: 1,
    denied: 0,
    failed: 0,
    actions: 1,
    resources: 1,
    bytes: 10,
    learnedEvents: 1,
    learnedActions: 1,
    learnedResources: 1,
    learnedDenied: 0,
    sessions: 0,
    sessionMoves: 0,
    learned: true,
    novel: [],
    scores: {},
    surprise: 0,
    stratum: 'cloudtrail/low',
    state: 'scored',
    ...changes,
  }
}

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { Progress } from '../api/cli/progress.ts'
import { readConfig } from '../api/config.ts'
import { openEngine } from '../api/engine.ts'
import type { PublishedAlert } from '../api/pipeline.ts'
import type { Alert } from '../detectors/alert.ts'
import { asObject, asText, objectAt, textAt } from '../ingest/json-values.ts'
import type { JsonObject } from '../ingest/source.ts'
import { createCompany } from './company/company.ts'
import { type CompanyRecord, DAY, HOUR, MINUTE } from './company/record.ts'
import { withAttacks } from './company/stream.ts'
import { Feed } from './feed.ts'
import { hashText, Random } from './random.ts'

/**
 * Real attack records against ordinary ones: each technique of `cloudtrail-stratus-detonations` is replayed after 30 days
 * of benign history of the same identities, made of other people's benign records (`cloudtrail-grycap-sample` and the
 * operator's and services' part of `cloudtrail-invictus`), beside a synthetic company that gives the estate its size.
 * A control of each technique sends as many of the identity's ordinary calls at the same times.
 *
 * What would give it away for nothing is masked: every call of an identity has one software, one region and one
 * address, except for the technique whose point is the place. Usage: `npm run evaluate:stratus [budget] [data folder]`.
 */
const LEARN_DAYS = 30
const USUAL_CALLS = 14
const AGENT = 'aws-cli/2.17.20 md/awscrt#0.20.11 ua/2.0 os/linux#6.1 lang/python#3.11.8'
const REGION = 'eu-west-1'
/** The technique that is about where a session is used: its own addresses stay, its history is at the instance. */
const PLACE = 'aws.credential-access.ec2-steal-instance-credentials'

interface Case {
  readonly name: string
  readonly kind: 'attack' | 'control'
  readonly records: readonly CompanyRecord[]
  /** Account that all of its identities belong to. */
  readonly account: string
}

const [alertsPerDay = '1', data = '../shared/data'] = process.argv.slice(2)
const folder = join(data, 'cloudtrail-stratus-detonations')
if (!existsSync(folder)) {
  process.stderr.write(`evaluate-stratus: there is no ${folder}; nothing to measure\n`)
  process.exit(2)
}
const start = Date.UTC(2026, 3, 6)
const live = start + LEARN_DAYS * DAY
const company = createCompany({ seed: 7, start, days: LEARN_DAYS + 3, identities: 45 })
const benign = benignPool()
const cases = readdirSync(folder)
  .filter((name) => name.endsWith('.gz'))
  .sort()
  .flatMap((name, index) => casesOf(name.replace('.ndjson.gz', ''), readLines(join(folder, name)), index))

const alerts = new Map<string, Alert>()
const store = mkdtempSync(join(tmpdir(), 'plumbline-stratus-'))
const engine = await openEngine(readConfig({ PLUMBLINE_DATA: store, PLUMBLINE_BUDGET: alertsPerDay }), {
  learnUntil: live,
  includePeople: false,
  publish: async (published: readonly PublishedAlert[]) => {
    for (const { alert } of published) alerts.set(alert.uid, alert)
  },
})
const progress = new Progress(process.stderr, 'evaluate-stratus')
try {
  const feed = new Feed(engine, { arrival: company.end, origin: 'stratus' })
  for (const batch of withAttacks(company, cases, start, company.end)) {
    await feed.give(batch)
    progress.update({
      done: feed.counts.read,
      share: (feed.position - start) / (company.end - start),
      position: feed.position,
    })
  }
  await feed.flush()
  await engine.durable()
  progress.clear()
  report()
} finally {
  await engine.close()
  rmSync(store, { recursive: true, force: true })
}

function readLines(path: string): JsonObject[] {
  return gunzipSync(readFileSync(path))
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => asObject(JSON.parse(line)))
}

/** Ordinary calls of other people: read-only or routine, from two real accounts. */
function benignPool(): JsonObject[] {
  const labels = new Map(
    readFileSync(join(data, 'cloudtrail-invictus/labels.csv'), 'utf8')
      .split('\n')
      .map((line) => line.split(','))
      .map(([id = '', , label = '']) => [id, label.trim()] as const),
  )
  const ordinary = new Set(['operator_console', 'instance_agent', 'aws_service'])
  const invictus = readLines(join(data, 'cloudtrail-invictus/events.ndjson.gz')).filter((r) =>
    ordinary.has(labels.get(textAt(r, 'eventID')) ?? ''),
  )
  const grycap = readLines(join(data, 'cloudtrail-grycap-sample/events.ndjson.gz'))
  const seen = new Set<string>()
  return [...grycap, ...invictus].filter((record) => {
    const call = `${textAt(record, 'eventSource')}:${textAt(record, 'eventName')}`
    // One of each call, and no refused one: the habit of a healthy identity.
    if (seen.has(call) || asText(record.errorCode) !== '' || textAt(record, 'eventName') === 'ConsoleLogin')
      return false
    seen.add(call)
    return true
  })
}

function casesOf(name: string, records: readonly JsonObject[], index: number): Case[] {
  const first = Date.parse(textAt(records[0] ?? {}, 'eventTime'))
  const at = live + 9 * HOUR + index * 40 * MINUTE
  const random = new Random(hashText(name))
  const home = homeAddress(records)
  const callers = callersOf(records)
  const history = callers.flatMap((identity) => historyOf(identity, home, random))
  const attack = records.map((record) => {
    const time = at + (Date.parse(textAt(record, 'eventTime')) - first)
    const place = name === PLACE ? textAt(record, 'sourceIPAddress') : home
    return written(record, { time, place })
  })
  const account = textAt(records[0] ?? {}, 'recipientAccountId')
  // The control is another account that lives the same life, and goes on living it.
  const twin = String(900_000_000_000 + index)
  const inTwin = (record: CompanyRecord): CompanyRecord => ({
    ...record,
    line: record.line.replaceAll(account, twin).replace(/"eventID":"([^"]*)"/, '"eventID":"twin-$1"'),
  })
  const ordinary = attack.flatMap(({ time }, n) => {
    const identity = callers[n % callers.length]
    return identity === undefined ? [] : [usualCall(identity, home, time, random, `control-${n}`)]
  })
  return [
    { name, kind: 'attack', records: [...history, ...attack], account },
    { name, kind: 'control', records: [...history, ...ordinary].map(inTwin), account: twin },
  ]
}

function homeAddress(records: readonly JsonObject[]): string {
  const uses = new Map<string, number>()
  for (const record of records) {
    const address = textAt(record, 'sourceIPAddress')
    if (/^[\d.]+$/.test(address)) uses.set(address, (uses.get(address) ?? 0) + 1)
  }
  return [...uses].sort((a, b) => b[1] - a[1])[0]?.[0] ?? '52.16.1.1'
}

/** The distinct identities of the records that can have habits: users and roles, not services. */
function callersOf(records: readonly JsonObject[]): JsonObject[] {
  const callers = new Map<string, JsonObject>()
  for (const record of records) {
    const identity = objectAt(record, 'userIdentity')
    const type = textAt(identity, 'type')
    if (type === 'IAMUser' || type === 'AssumedRole') callers.set(durable(identity), identity)
  }
  return [...callers.values()]
}

function durable(identity: JsonObject): string {
  return (
    textAt(objectAt(objectAt(identity, 'sessionContext'), 'sessionIssuer'), 'arn') || textAt(identity, 'arn')
  )
}

/** 30 days of office hours, each identity with its own fourteen calls. */
function historyOf(identity: JsonObject, home: string, random: Random): CompanyRecord[] {
  const out: CompanyRecord[] = []
  for (let hour = start + 8 * HOUR; hour < live; hour += HOUR) {
    const ofDay = new Date(hour).getUTCHours()
    if (ofDay < 7 || ofDay > 19) continue
    const calls = 3 + random.int(5)
    for (let n = 0; n < calls; n++)
      out.push(usualCall(identity, home, hour + random.int(HOUR), random, `habit-${hour}-${n}`))
  }
  return out
}

function usualCall(
  identity: JsonObject,
  home: string,
  time: number,
  random: Random,
  tag: string,
): CompanyRecord {
  const offset = hashText(durable(identity)) % benign.length
  const template = benign[(offset + random.int(USUAL_CALLS)) % benign.length] ?? {}
  const record = {
    ...template,
    userIdentity: identity,
    recipientAccountId: textAt(identity, 'accountId'),
    eventID: `${tag}-${hashText(durable(identity))}-${time}`,
    eventCategory: 'Management',
  }
  return written(record, { time, place: home })
}

/** The record at another time, from one place, with one software. */
function written(record: JsonObject, at: { readonly time: number; readonly place: string }): CompanyRecord {
  const time = Math.floor(at.time / 1000) * 1000
  return {
    time,
    source: 'cloudtrail',
    line: JSON.stringify({
      ...record,
      eventTime: new Date(time).toISOString().replace('.000', ''),
      userAgent: AGENT,
      awsRegion: REGION,
      sourceIPAddress: at.place,
    }),
  }
}

function report(): void {
  const out = (line: string): void => void process.stdout.write(`${line}\n`)
  const found = { attack: 0, control: 0 }
  for (const c of cases) {
    const hits = [...alerts.values()].filter(
      (a) => a.identity.tenant === c.account || a.identity.id.includes(c.account),
    )
    if (hits.length > 0) found[c.kind] += 1
    if (c.kind === 'attack' || hits.length > 0) {
      const why = [...new Set(hits.flatMap((a) => a.causes.map((cause) => cause.detector)))].join(', ')
      out(
        `  ${hits.length > 0 ? (c.kind === 'attack' ? 'found ' : 'FALSE ') : 'missed'} ${c.kind.padEnd(8)}${c.name.padEnd(62)}${why}`,
      )
    }
  }
  const of = cases.length / 2
  out(`real techniques found: ${found.attack} of ${of} at a budget of ${alertsPerDay} alerts a day`)
  out(`control runs that alerted: ${found.control} of ${of}`)
}

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { source } from '../../../ingest/sources/sshd.ts'
import {
  at,
  countBy,
  describeSamples,
  draftOf,
  draftsOf,
  hasData,
  read,
  realLines,
  tally,
} from './auth-reading.ts'

describeSamples(source)

const HEAD = 'Mar  2 08:15:30 web-1 '
const verdict = (rest: string) => read(source, HEAD + rest)
const draft = (rest: string) => draftOf(verdict(rest))

describe('lines that are not its own', () => {
  it.each([
    '192.0.2.1 - - [02/Mar/2026:08:15:30 +0000] "GET / HTTP/1.1" 200 1',
    `${HEAD}nginx: 192.0.2.1 - - [02/Mar/2026:08:15:30 +0000] "GET / HTTP/1.1" 200 1`,
    `${HEAD}kernel: [12.5] eth0: link up`,
    '2026-03-02 08:15:30,123 INFO  [org.keycloak.events] (t) type="LOGIN"',
    '{"MESSAGE":"Accepted","SYSLOG_IDENTIFIER":"nginx"}',
    '{"MESSAGE":',
    '',
  ])('%s', (line) => {
    expect(source.parseLine?.(line)).toBeNull()
  })
})

describe('logins', () => {
  it.each([
    ['Failed password for root from 192.0.2.1 port 1 ssh2', 'sshd:web-1:account:root', 'failed-password'],
    ['Failed none for invalid user  from 192.0.2.1 port 1 ssh2', 'sshd:web-1:anonymous', 'invalid-user'],
    ['Invalid user admin from 192.0.2.1', 'sshd:web-1:anonymous', 'invalid-user'],
    ['Invalid user admin from 192.0.2.1 port 22', 'sshd:web-1:anonymous', 'invalid-user'],
  ])('%s', (text, id, errorCode) => {
    expect(draft(`sshd[1]: ${text}`)).toMatchObject({
      identity: { id },
      errorCode,
      outcome: 'denied',
      origin: '192.0.2.1',
    })
  })

  it('reads the event inside a repetition, and says how often', () => {
    const repeated = draft(
      'sshd[1]: message repeated 5 times: [ Failed password for root from 192.0.2.1 port 1 ssh2]',
    )
    expect(repeated).toMatchObject({
      identity: { id: 'sshd:web-1:account:root' },
      details: { repeated: '5' },
    })
  })

  it('takes no origin from the key id of a certificate', () => {
    const text =
      'Failed publickey for root from 192.0.2.1 port 1 ssh2: RSA-CERT SHA256:x ID y from 10.0.0.1 port 1 (serial 0) CA RSA SHA256:z'
    expect(draft(`sshd[1]: ${text}`).origin).toBe('192.0.2.1')
  })

  it('does not call a refused key a credential of the account', () => {
    const refused = draft('sshd[1]: Failed publickey for root from 192.0.2.1 port 1 ssh2: RSA SHA256:thief')
    expect(refused.credential).toBeUndefined()
    expect(refused.details).toEqual({ refusedKey: 'SHA256:thief' })
  })

  it('makes one nobody of a thousand invented names', () => {
    const ids = Array.from(
      { length: 1000 },
      (_, index) =>
        draft(`sshd[1]: Failed password for invalid user u${index} from 192.0.2.1 port 1 ssh2`).identity.id,
    )
    expect(new Set(ids)).toEqual(new Set(['sshd:web-1:anonymous']))
  })

  it('names a host-based login a machine’s', () => {
    expect(draft('sshd[1]: Accepted hostbased for sync from 192.0.2.1 port 1 ssh2').identity.human).toBe('no')
  })

  it('takes the host from the stream when the line has none', () => {
    const line = '<38>1 2026-03-02T08:15:30Z - sshd 1 - - Accepted password for a from 192.0.2.1 port 1 ssh2'
    expect(draftOf(read(source, line, { tenant: 'db-1' })).identity.id).toBe('sshd:db-1:account:a')
  })

  it('reads a journal message written as bytes', () => {
    const text = 'Accepted password for a from 192.0.2.1 port 1 ssh2'
    const entry = {
      MESSAGE: [...Buffer.from(text)],
      _COMM: 'sshd',
      _HOSTNAME: 'web-1',
      __REALTIME_TIMESTAMP: 1_772_439_330_123_456,
    }
    expect(draftOf(read(source, entry)).identity.id).toBe('sshd:web-1:account:a')
    expect(draftOf(read(source, JSON.stringify(entry))).identity.id).toBe('sshd:web-1:account:a')
  })
})

describe('sudo and su', () => {
  it.each<[string, Record<string, unknown>]>([
    [
      'su[9]: Successful su for root by ann',
      { 'identity.id': 'sshd:web-1:account:ann', action: 'su', outcome: 'success' },
    ],
    ['su[9]: FAILED SU (to root) ann on pts/0', { outcome: 'denied', actingAs: 'sshd:web-1:account:root' }],
    ['su: (to postgres) ann on pts/0', { actingAs: 'sshd:web-1:account:postgres' }],
    [
      'sudo:  ann : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh',
      { outcome: 'denied', errorCode: '3 incorrect password attempts' },
    ],
    [
      'sudo:  ann : TTY=unknown ; PWD=/ ; USER=root ; COMMAND=/bin/sh -c USER=x',
      { actingAs: 'sshd:web-1:account:root', 'resources.0': '/bin/sh' },
    ],
  ])('%s', (text, wanted) => {
    const found = draft(text)
    for (const [path, value] of Object.entries(wanted)) expect([path, at(found, path)]).toEqual([path, value])
  })
})

it('reads or refuses any line without throwing', () => {
  const heads = [
    '',
    HEAD,
    '<38>1 2026-03-02T08:15:30Z h sshd 1 - ',
    '2026-03-02T08:15:30Z h ',
    `${HEAD}sshd[1]: `,
    `${HEAD}sudo: `,
  ]
  const starts = [
    '',
    'Accepted ',
    'Failed x for ',
    'Invalid user ',
    'message repeated 2 times: [ ',
    ' a : TTY=',
    '[x="',
  ]
  fc.assert(
    fc.property(fc.constantFrom(...heads), fc.constantFrom(...starts), fc.string(), (head, start, rest) => {
      const found = read(source, head + start + rest)
      expect(found?.outcome === 'dead' ? found.reason : 'fine').not.toBe('source-fault')
    }),
    { numRuns: 2000 },
  )
})

it('reads a repeat of repeats as no login, however deep', () => {
  const deep = 20_000
  const line = `${HEAD}sshd[1]: ${'message repeated 2 times: [ '.repeat(deep)}${']'.repeat(deep)}`
  expect(read(source, line)).toEqual({ outcome: 'filtered', reason: 'repeated' })
})

it('reads a refusal of sudo in linear time', () => {
  const started = performance.now()
  const line = `${HEAD}sudo: a : no${' ;'.repeat(250_000)}x${' ;'.repeat(250_000)}TTY=p ; USER=root ; COMMAND=/b`
  expect(draftOf(read(source, line)).outcome).toBe('denied')
  expect(performance.now() - started).toBeLessThan(1000)
})

it.each([
  [
    'illegal user of old servers',
    'Failed password for illegal user x from 198.51.100.9 port 1 ssh2',
    '198.51.100.9',
  ],
  [
    'a name and a certificate',
    'Failed publickey for invalid user x from 198.51.100.9 port 1 ssh2: ED25519-CERT SHA256:a ID y from 10.0.0.1 port 1 (serial 0) CA ED25519 SHA256:b',
    undefined,
  ],
  [
    'a name that looks like a certificate',
    'Failed password for invalid user x from 10.0.0.1 (serial 0) from 198.51.100.9 port 1 ssh2',
    '198.51.100.9',
  ],
])('is nobody, and chooses no origin: %s', (_name, text, origin) => {
  expect(draftOf(read(source, `${HEAD}sshd[1]: ${text}`))).toMatchObject({
    identity: { kind: 'anonymous' },
    origin,
  })
})

it('is linear on hostile lines', () => {
  const million = (piece: string): string => piece.repeat(Math.ceil(1_000_000 / piece.length))
  for (const piece of [' from ', ' for ', '[', 'USER=', 'message repeated 2 times: [ ', '"\\', ' : ']) {
    const started = performance.now()
    read(source, `${HEAD}sshd[1]: Failed ${million(piece)}`)
    read(source, `${HEAD}sudo: a : ${million(piece)}COMMAND=x`)
    read(source, `<38>1 2026-03-02T08:15:30Z h sshd 1 - [${million(piece)}`)
    expect(performance.now() - started).toBeLessThan(1000)
  }
})

describe.skipIf(!hasData('auth-elastic-sshd'))('a real auth.log', () => {
  const arrival = Date.parse('2017-05-01T00:00:00Z')
  const verdicts = realLines('auth-elastic-sshd/auth.log.gz').map((line) => read(source, line, { arrival }))
  const drafts = draftsOf(verdicts)

  it('is read to the last line', () => {
    expect(tally(verdicts)).toEqual({
      accepted: 1035,
      'filtered:session': 1470,
      'filtered:disconnect': 1043,
      'filtered:cron': 710,
      'filtered:pam': 667,
      'filtered:account-management': 470,
      'filtered:pre-authentication': 298,
      'filtered:connection': 42,
      'filtered:daemon': 14,
    })
  })

  it('has 220 accepted logins of 11 accounts, in the spring of 2017', () => {
    const logins = drafts.filter((each) => each.action === 'ssh-login' && each.outcome === 'success')
    expect(logins).toHaveLength(220)
    expect(new Set(logins.map((each) => each.identity.id)).size).toBe(11)
    expect(countBy(logins, (each) => each.authMethod ?? '')).toEqual({ 'public-key': 30, password: 190 })
    expect(new Date(logins[0]?.time ?? 0).toISOString()).toBe('2017-03-27T13:08:09.000Z')
    expect(logins.every((each) => each.time < arrival)).toBe(true)
  })

  it('lets brute force create no identity', () => {
    const accounts = new Set(drafts.map((each) => each.identity.id.replace(/.*:/, '')))
    expect([...accounts].sort()).toEqual(
      [
        'anonymous',
        'bin',
        'root',
        'ubuntu',
        ...Array.from({ length: 10 }, (_, index) => `elastic_user_${index}`),
      ].sort(),
    )
    const guesses = drafts.filter((each) => each.identity.kind === 'anonymous')
    expect(guesses).toHaveLength(389)
    expect(guesses.every((each) => each.outcome === 'denied')).toBe(true)
  })
})

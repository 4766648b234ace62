import { z } from 'zod'
import type { Draft, Human, Identity } from '../activity.ts'
import { isJsonObject } from '../json-values.ts'
import { accepted, dead, filtered, type Verdict } from '../outcome.ts'
import { defineSource, type JsonObject, type Sample, type SourceContext } from '../source.ts'
import { type LoginAttempt, readHostMessage } from '../sshd-message.ts'
import { readSyslog } from '../syslog-text.ts'
import { parseTime, syslogTime } from '../time.ts'

const text = z.string().nullish()

/** Either the parts of a syslog line, which `parseLine` found, or the fields of a journal entry. */
const schema = z.object({
  time: text,
  yearless: z.boolean().nullish(),
  host: text,
  program: text,
  pid: text,
  message: text,
  // journald writes a message that is not UTF-8 as an array of bytes.
  MESSAGE: z.union([z.string(), z.array(z.number())]).nullish(),
  SYSLOG_IDENTIFIER: text,
  _COMM: text,
  _PID: z.union([z.string(), z.number()]).nullish(),
  _HOSTNAME: text,
  __REALTIME_TIMESTAMP: z.union([z.string(), z.number()]).nullish(),
  _SOURCE_REALTIME_TIMESTAMP: z.union([z.string(), z.number()]).nullish(),
})

type HostRecord = z.infer<typeof schema>

const JOURNAL_PROGRAMS = new Set(['sshd', 'sshd-session', 'sshd-auth', 'sudo', 'su'])

function isJournalEntry(record: JsonObject): boolean {
  if (record.MESSAGE === undefined) return false
  const { SYSLOG_IDENTIFIER: identifier, _COMM: command } = record
  return (
    (typeof identifier === 'string' && JOURNAL_PROGRAMS.has(identifier)) ||
    (typeof command === 'string' && JOURNAL_PROGRAMS.has(command))
  )
}

const KEY = 'SHA256:4bQyG0UzXq9bT4Q8x1a2b3c4d5e6f7g8h9i0jKlMnOp'

const journal = (rest: JsonObject): JsonObject => ({
  __CURSOR: 's=1;i=2',
  __REALTIME_TIMESTAMP: '1772439330123456',
  _HOSTNAME: 'web-1',
  SYSLOG_IDENTIFIER: 'sshd',
  _COMM: 'sshd',
  _PID: '812',
  MESSAGE: `Accepted publickey for deploy from 192.0.2.10 port 50122 ssh2: ED25519 ${KEY}`,
  ...rest,
})

const samples: readonly Sample[] = [
  {
    name: 'key login, RFC 3164; the year comes from the arrival',
    record: `Mar  2 08:15:30 web-1 sshd[812]: Accepted publickey for deploy from 192.0.2.10 port 50122 ssh2: ED25519 ${KEY}`,
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id': 'sshd:web-1:account:deploy',
        'identity.kind': 'host-account',
        'identity.human': 'unknown',
        class: 'authentication',
        action: 'ssh-login',
        outcome: 'success',
        credential: KEY,
        authMethod: 'public-key',
        origin: '192.0.2.10',
      },
    },
  },
  {
    name: 'certificate login, RFC 5424',
    record: `<38>1 2026-03-02T08:15:30.123456Z web-1 sshd 812 - - Accepted publickey for deploy from 2001:db8::5 port 50122 ssh2: ED25519-CERT ${KEY} ID ci@build (serial 7) CA ED25519 SHA256:ca`,
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id': 'sshd:web-1:account:deploy',
        credential: KEY,
        authMethod: 'certificate',
        'details.certificateId': 'ci@build',
        time: 1_772_439_330_123,
      },
    },
  },
  {
    name: 'password login, syslog with an RFC 3339 time',
    record:
      '2026-03-02T09:15:30.5+01:00 web-1 sshd-session[812]: Accepted password for backup from 10.0.0.7 port 4022 ssh2',
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id': 'sshd:web-1:account:backup',
        authMethod: 'password',
        credential: undefined,
        time: 1_772_439_330_500,
      },
    },
  },
  {
    name: 'journal entry',
    record: journal({}),
    expect: {
      outcome: 'accepted',
      draft: { 'identity.id': 'sshd:web-1:account:deploy', credential: KEY, time: 1_772_439_330_123 },
    },
  },
  {
    name: 'wrong password for an account of the host stays on that account',
    record: 'Mar  2 08:15:30 web-1 sshd[812]: Failed password for root from 198.51.100.9 port 22022 ssh2',
    expect: {
      outcome: 'accepted',
      draft: { 'identity.id': 'sshd:web-1:account:root', outcome: 'denied', errorCode: 'failed-password' },
    },
  },
  {
    name: 'an invented name does not become an identity, and cannot move the origin',
    record:
      'Mar  2 08:15:30 web-1 sshd[812]: Failed password for invalid user root from 10.0.0.1 port 1 ssh2 from 198.51.100.9 port 22022 ssh2',
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id': 'sshd:web-1:anonymous',
        'identity.kind': 'anonymous',
        outcome: 'denied',
        origin: '198.51.100.9',
      },
    },
  },
  {
    name: 'command by sudo; its arguments may hold secrets and are not kept',
    record:
      'Mar  2 08:15:30 web-1 sudo:   deploy : TTY=pts/0 ; PWD=/srv ; USER=root ; COMMAND=/usr/bin/mysql -psecret',
    expect: {
      outcome: 'accepted',
      draft: {
        'identity.id': 'sshd:web-1:account:deploy',
        class: 'api_activity',
        action: 'sudo',
        actingAs: 'sshd:web-1:account:root',
        'resources.0': '/usr/bin/mysql',
        'resources.1': undefined,
      },
    },
  },
  {
    name: 'refused sudo',
    record:
      'Mar  2 08:15:30 web-1 sudo:   deploy : user NOT in sudoers ; TTY=pts/0 ; PWD=/srv ; USER=root ; COMMAND=/bin/bash',
    expect: {
      outcome: 'accepted',
      draft: { outcome: 'denied', errorCode: 'user NOT in sudoers', actingAs: 'sshd:web-1:account:root' },
    },
  },
  {
    name: 'end of a connection',
    record: 'Mar  2 08:15:30 web-1 sshd[812]: Disconnected from user deploy 192.0.2.10 port 50122',
    expect: { outcome: 'filtered', reason: 'disconnect' },
  },
  {
    name: 'scheduled job',
    record:
      'Mar  2 08:17:01 web-1 CRON[900]: pam_unix(cron:session): session opened for user root by (uid=0)',
    expect: { outcome: 'filtered', reason: 'cron' },
  },
  {
    name: 'a day that does not exist',
    record: 'Feb 30 08:17:01 web-1 sshd[812]: Accepted password for backup from 10.0.0.7 port 4022 ssh2',
    expect: { outcome: 'dead', reason: 'bad-time' },
  },
  {
    name: 'host name of a wrong type',
    record: journal({ _HOSTNAME: 7 }),
    expect: { outcome: 'dead', reason: 'wrong-type' },
  },
]

/** Logins and sudo on a host, from its authentication log. Blind to what a session does afterwards. */
export const source = defineSource<HostRecord>({
  id: 'sshd',
  title: 'OpenSSH server and sudo',
  kind: 'auth',
  sees: 'Accepted and failed logins with account, method, key fingerprint and address; sudo and su with the program run.',
  misses:
    'What happens inside a session, forwarded ports, and key fingerprints below LogLevel VERBOSE on old servers.',
  needs: 'auth.log or the journal in JSON; times of RFC 3164 lines are read as UTC.',
  documentation: 'https://man.openbsd.org/sshd_config#LogLevel',
  format: 'text',
  recognises: isJournalEntry,
  parseLine,
  schema,
  samples,
  normalise,
})

function parseLine(line: string): JsonObject | null {
  if (line.charCodeAt(0) === 123) return journalLine(line)
  const parts = readSyslog(line)
  // The lines of other programs are not ours to judge, even when their form is known.
  if (parts === null || readHostMessage(parts.program, '') === null) return null
  return { ...parts }
}

function journalLine(line: string): JsonObject | null {
  if (!line.includes('"MESSAGE"')) return null
  try {
    const value: unknown = JSON.parse(line)
    return isJsonObject(value) && isJournalEntry(value) ? value : null
  } catch {
    return null
  }
}

function normalise(record: HostRecord, context: SourceContext): Verdict<Draft> {
  const message = record.message ?? journalMessage(record)
  const said =
    readHostMessage(record.program ?? record.SYSLOG_IDENTIFIER ?? '', message) ??
    readHostMessage(record._COMM ?? '', message)
  if (said === null) return filtered('other-program')
  if (said.is === 'other') return filtered(said.reason)
  const time = timeOf(record, context.arrival)
  if (time === undefined) return dead('normalise', 'bad-time', 'sshd: time: not a time')
  const host = record.host || record._HOSTNAME || context.tenant || 'unknown-host'
  const eventId = context.recordHash()
  if (said.is === 'login') {
    const { attempt, accepted: success } = said
    const known = attempt.known && attempt.account !== ''
    return accepted({
      eventId,
      time,
      class: 'authentication',
      identity: known ? accountIdentity(host, attempt) : nobody(host),
      action: 'ssh-login',
      service: 'ssh',
      accessLevel: 'auth',
      outcome: success ? 'success' : 'denied',
      errorCode: success ? '' : known ? `failed-${attempt.method}` : 'invalid-user',
      origin: attempt.address || undefined,
      // A key that was refused is not a credential of this account.
      credential: success ? attempt.fingerprint || undefined : undefined,
      authMethod: methodOf(attempt),
      details: {
        ...(success || attempt.fingerprint === '' ? {} : { refusedKey: attempt.fingerprint.slice(0, 128) }),
        ...(attempt.certificate === '' ? {} : { certificateId: attempt.certificate.slice(0, 256) }),
        ...(said.repeated === '' ? {} : { repeated: said.repeated.slice(0, 10) }),
      },
    })
  }
  return accepted({
    eventId,
    time,
    class: 'api_activity',
    identity: identityOf(
      host,
      said.account,
      'unknown',
      'an account of a host: neither person nor machine by name',
    ),
    action: said.is,
    service: said.is,
    accessLevel: 'permissions',
    effect: 'impersonation',
    outcome: said.refusal === '' ? 'success' : 'denied',
    errorCode: said.refusal.slice(0, 64),
    resourceClass: said.command === '' ? undefined : 'program',
    resources: said.command === '' ? undefined : [said.command],
    actingAs: `sshd:${host}:account:${said.as}`,
  })
}

function journalMessage(record: HostRecord): string {
  const { MESSAGE: message } = record
  return typeof message === 'string'
    ? message
    : Buffer.from((message ?? []).slice(0, 65_536)).toString('latin1')
}

function timeOf(record: HostRecord, arrival: number): number | undefined {
  const written = record.time ?? record._SOURCE_REALTIME_TIMESTAMP ?? record.__REALTIME_TIMESTAMP
  if (written == null) return undefined
  return record.yearless === true && typeof written === 'string'
    ? syslogTime(written, arrival)
    : parseTime(written)
}

function methodOf(attempt: LoginAttempt): string {
  if (attempt.method === 'publickey') return attempt.certificate === '' ? 'public-key' : 'certificate'
  return attempt.method
}

/** A method tells a person from a machine only in one case: host-based logins are made by hosts. */
function accountIdentity(host: string, attempt: LoginAttempt): Identity {
  if (attempt.method === 'hostbased')
    return identityOf(host, attempt.account, 'no', 'logs in by the key of a host')
  return identityOf(
    host,
    attempt.account,
    'unknown',
    `a ${attempt.method.slice(0, 32)} login is made by people and by machines`,
  )
}

function identityOf(host: string, account: string, human: Human, humanReason: string): Identity {
  return {
    id: `sshd:${host}:account:${account}`,
    kind: 'host-account',
    provider: 'sshd',
    tenant: host,
    human,
    humanReason,
  }
}

/** Every invented name of a host is the same nobody: an attacker must not be able to create identities. */
function nobody(host: string): Identity {
  return {
    id: `sshd:${host}:anonymous`,
    kind: 'anonymous',
    provider: 'sshd',
    tenant: host,
    human: 'unknown',
    humanReason: 'no account of the host',
  }
}

/**
 * What sshd, sudo and su say in a line, in words. An invented account name is chosen by whoever knocks, so its line is read
 * from the end (`… from <address> port <n>`), where sshd itself wrote: a user called `root from 10.0.0.1` must not move the
 * origin. The line of a known account is read from the start, because the key id of a certificate stands at its end.
 */
export type HostMessage =
  | {
      readonly is: 'login'
      readonly attempt: LoginAttempt
      readonly accepted: boolean
      readonly repeated: string
    }
  | {
      readonly is: 'sudo' | 'su'
      readonly account: string
      readonly as: string
      readonly command: string
      readonly refusal: string
    }
  /** Not behaviour; the reason to filter it. */
  | { readonly is: 'other'; readonly reason: string }

export interface LoginAttempt {
  /** `publickey`, `password`, `keyboard-interactive`, … `none` for a name that was refused before any method. */
  readonly method: string
  readonly account: string
  /** Is the account known to the host? An invented name must not become an identity. */
  readonly known: boolean
  /** '' when the line could name two. */
  readonly address: string
  /** `SHA256:…` of the key, or ''. */
  readonly fingerprint: string
  /** Key id of an OpenSSH certificate, or ''. */
  readonly certificate: string
}

const other = (reason: string): HostMessage => ({ is: 'other', reason })

const REPEATED = 'message repeated '

/** Programs that share the log of authentications and whose lines are understood; `null` for all others. */
export function readHostMessage(program: string, text: string): HostMessage | null {
  switch (program) {
    case 'sshd':
    case 'sshd-session':
    case 'sshd-auth':
      return sshdMessage(text)
    case 'sudo':
      return sudoMessage(text)
    case 'su':
      return suMessage(text)
    case 'CRON':
    case 'cron':
    case 'crond':
    case 'anacron':
    case 'atd':
      return other('cron')
    case 'systemd':
    case 'systemd-logind':
    case 'login':
    case 'polkitd':
    case 'pkexec':
    case 'dbus-daemon':
    case 'gnome-keyring-daemon':
      return other('session')
    case 'useradd':
    case 'userdel':
    case 'usermod':
    case 'groupadd':
    case 'groupdel':
    case 'groupmod':
    case 'gpasswd':
    case 'passwd':
    case 'chpasswd':
    case 'chage':
    case 'chfn':
    case 'chsh':
    case 'newusers':
      // The line names the account changed, never who changed it: the sudo line before it does.
      return other('account-management')
    case 'unix_chkpwd':
    case 'runuser':
      return other('pam')
    default:
      return null
  }
}

function sshdMessage(text: string): HostMessage {
  if (text.startsWith(REPEATED)) {
    const open = text.indexOf('[ ')
    if (open < 0 || open > 40 || !text.endsWith(']')) return other('repeated')
    const repeated = text.slice(open + 2, -1)
    // rsyslog never nests repeats; a hostile line of nothing else would exhaust the stack.
    if (repeated.startsWith(REPEATED)) return other('repeated')
    const inner = sshdMessage(repeated)
    const times = text.slice(REPEATED.length, text.indexOf(' ', REPEATED.length))
    return inner.is === 'login' ? { ...inner, repeated: times } : inner
  }
  const accepted = text.startsWith('Accepted ')
  if (accepted || text.startsWith('Failed ')) {
    const attempt = attemptOf(text, accepted ? 9 : 7)
    return attempt === null ? other('unread-login') : { is: 'login', attempt, accepted, repeated: '' }
  }
  if (text.startsWith('Invalid user ')) {
    const peer = peerAt(text, text.lastIndexOf(' from '))
    if (peer === null) return other('unread-login')
    const account = text.slice(13, peer.at)
    const attempt = {
      method: 'none',
      account,
      known: false,
      address: peer.address,
      fingerprint: '',
      certificate: '',
    }
    return { is: 'login', attempt, accepted: false, repeated: '' }
  }
  for (const [start, reason] of SSHD_OTHER) if (text.startsWith(start)) return other(reason)
  if (text.endsWith('[preauth]')) return other('pre-authentication')
  return other('sshd-notice')
}

/** Starts of sshd's other lines. `User x from … not allowed because …` is followed by its `Failed` line. */
const SSHD_OTHER: readonly (readonly [string, string])[] = [
  ['Received disconnect', 'disconnect'],
  ['Disconnected', 'disconnect'],
  ['Disconnecting', 'disconnect'],
  ['Connection closed', 'disconnect'],
  ['Connection reset', 'disconnect'],
  ['Close session', 'session'],
  ['Starting session', 'session'],
  ['User child is on pid', 'session'],
  ['pam_unix(sshd:session)', 'session'],
  ['pam_systemd(sshd:session)', 'session'],
  ['pam_', 'pam'],
  ['PAM ', 'pam'],
  ['Server listening', 'daemon'],
  ['Received signal', 'daemon'],
  ['Connection from', 'connection'],
  ['Did not receive identification', 'connection'],
  ['Bad protocol version', 'connection'],
  ['banner exchange', 'connection'],
  ['kex_exchange_identification', 'connection'],
  ['input_userauth_request', 'pre-authentication'],
]

/** `publickey for [invalid user ]name from address port 22 ssh2[: RSA SHA256:…]` at `start`. */
function attemptOf(text: string, start: number): LoginAttempt | null {
  const gap = text.indexOf(' for ', start)
  if (gap < 0) return null
  // Servers before OpenSSH 3.9 say `illegal user`; both are 13 characters long.
  const invalid = text.startsWith('invalid user ', gap + 5) || text.startsWith('illegal user ', gap + 5)
  const from = invalid ? text.lastIndexOf(' from ') : text.indexOf(' from ', gap + 4)
  const peer = peerAt(text, from)
  if (peer === null || from < gap + (invalid ? 18 : 5)) return null
  const method = text.slice(start, gap)
  const account = text.slice(gap + (invalid ? 18 : 5), peer.at)
  const key = text.indexOf('SHA256:', peer.end)
  const end = key < 0 ? -1 : text.indexOf(' ', key)
  return {
    method: method.length > 64 ? method.slice(0, 64) : method,
    account,
    known: !invalid,
    address: invalid && isAmbiguous(text, gap, from) ? '' : peer.address,
    fingerprint: key < 0 ? '' : text.slice(key, end < 0 ? text.length : end),
    certificate: certificateId(text, peer.end),
  }
}

/**
 * The key id of a certificate stands after the peer and is chosen by whoever knocks, as the invented name before it is. With
 * a second ` from ` in such a line nothing tells which of the two sshd wrote, and a guess would let the origin be chosen too.
 */
function isAmbiguous(text: string, start: number, last: number): boolean {
  return text.indexOf(' from ', start) !== last && text.includes(' (serial ', last)
}

interface Peer {
  readonly at: number
  readonly address: string
  readonly end: number
}

/** ` from <address> port <n>` at `at`; older `Invalid user` lines have no port. */
function peerAt(text: string, at: number): Peer | null {
  if (at < 0) return null
  const start = at + 6
  const space = text.indexOf(' ', start)
  const end = space < 0 ? text.length : space
  return end - start > 64 ? null : { at, address: text.slice(start, end), end }
}

/** `… ID deploy@ci (serial 5) CA RSA SHA256:…` of a certificate login. */
function certificateId(text: string, from: number): string {
  const at = text.indexOf(' ID ', from)
  if (at < 0) return ''
  const end = text.lastIndexOf(' (serial ')
  return end <= at ? '' : text.slice(at + 4, end)
}

/** `  ubuntu : [refusal ; ]TTY=pts/0 ; PWD=/home ; USER=root ; COMMAND=/usr/bin/vim file` */
function sudoMessage(text: string): HostMessage {
  const colon = text.indexOf(' : ')
  if (colon < 0) return other(text.startsWith('pam_') ? 'session' : 'sudo-notice')
  const account = text.slice(0, colon).trim()
  const command = text.indexOf('COMMAND=', colon)
  if (command < 0 || account === '' || account.includes(' ')) return other('sudo-notice')
  const head = text.slice(colon + 3, command)
  const user = head.lastIndexOf('USER=')
  const tty = head.indexOf('TTY=')
  if (user < 0 || tty < 0) return other('sudo-notice')
  const end = head.indexOf(' ', user)
  return {
    is: 'sudo',
    account,
    as: head.slice(user + 5, end < 0 ? head.length : end),
    command: programOf(text.slice(command + 8, command + 8 + 512)),
    refusal: tty === 0 ? '' : withoutSeparator(head.slice(0, tty)),
  }
}

/** A regex anchored at the end would be quadratic on a line of separators. */
function withoutSeparator(text: string): string {
  let end = text.length
  while (end > 0 && (text[end - 1] === ' ' || text[end - 1] === ';')) end--
  return text.slice(0, end)
}

/** The program without its arguments, which may hold secrets. */
function programOf(command: string): string {
  const space = command.indexOf(' ')
  return space < 0 ? command : command.slice(0, space)
}

/** `Successful su for root by ubuntu`, `FAILED SU (to root) ubuntu on pts/0`, `(to root) ubuntu on pts/0`. */
function suMessage(text: string): HostMessage {
  const failed = /^fail/i.test(text)
  const to = text.indexOf('(to ')
  if (to >= 0 && to < 16) {
    const close = text.indexOf(') ', to)
    const end = text.indexOf(' on ', close)
    if (close > 0 && end > close) return su(text.slice(close + 2, end), text.slice(to + 4, close), failed)
  }
  const start = text.indexOf(' su for ')
  const by = text.lastIndexOf(' by ')
  if (start > 0 && start < 12 && by > start) return su(text.slice(by + 4), text.slice(start + 8, by), failed)
  return other('session')
}

function su(account: string, as: string, failed: boolean): HostMessage {
  return account === '' || account.includes(' ')
    ? other('session')
    : { is: 'su', account, as, command: '', refusal: failed ? 'refused' : '' }
}

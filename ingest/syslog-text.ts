/**
 * The head of a syslog line, in the forms that hosts write: RFC 3164 (`Mar 27 13:06:56 host sshd[12]: …`), the same with an
 * RFC 3339 time (rsyslog's newer default), and RFC 5424 (`<38>1 2026-03-02T08:15:30Z host sshd 12 - - …`); each with or
 * without its `<priority>`. Read by hand, one pass.
 */
export interface SyslogLine {
  /** The time as written. RFC 3164 times have no year: see `yearless`. */
  readonly time: string
  readonly yearless: boolean
  /** '' when the line says `-`. */
  readonly host: string
  readonly program: string
  /** '' when the line says none. */
  readonly pid: string
  readonly message: string
}

const LONGEST_NAME = 255

/** The parts of the line; null when it is no syslog line. */
export function readSyslog(line: string): SyslogLine | null {
  const start = afterPriority(line)
  const code = line.charCodeAt(start)
  if (isDigit(code)) {
    if (line.charCodeAt(start + 4) === 45) return afterIsoTime(line, start)
    // RFC 5424 has its version between the priority and the time.
    const space = line.indexOf(' ', start)
    if (start === 0 || space < 0 || space - start > 2 || line.charCodeAt(space + 5) !== 45) return null
    return readRfc5424(line, space + 1)
  }
  return readRfc3164(line, start)
}

function afterPriority(line: string): number {
  if (line.charCodeAt(0) !== 60) return 0
  const end = line.indexOf('>')
  if (end < 2 || end > 4) return 0
  return end + 1
}

/** `Mmm dd hh:mm:ss host tag: message` */
function readRfc3164(line: string, start: number): SyslogLine | null {
  const end = start + 15
  if (
    line.charCodeAt(start + 3) !== 32 ||
    line.charCodeAt(start + 6) !== 32 ||
    line.charCodeAt(start + 9) !== 58 ||
    line.charCodeAt(end) !== 32
  ) {
    return null
  }
  return afterHost(line, line.slice(start, end), true, end + 1)
}

function afterIsoTime(line: string, start: number): SyslogLine | null {
  const end = line.indexOf(' ', start)
  if (end < 0 || end - start > 40 || line.charCodeAt(start + 10) !== 84) return null
  return afterHost(line, line.slice(start, end), false, end + 1)
}

/** `host program[pid]: message` */
function afterHost(line: string, time: string, yearless: boolean, at: number): SyslogLine | null {
  const space = line.indexOf(' ', at)
  if (space <= at || space - at > LONGEST_NAME) return null
  // The tag ends at the first colon followed by a space or the end; names such as `gdm-password]` are none of ours.
  const tag = space + 1
  const colon = line.indexOf(':', tag)
  if (colon < 0 || colon - tag > LONGEST_NAME) return null
  let name = line.slice(tag, colon)
  let pid = ''
  const bracket = name.indexOf('[')
  if (bracket >= 0) {
    if (!name.endsWith(']')) return null
    pid = name.slice(bracket + 1, -1)
    name = name.slice(0, bracket)
  }
  if (name === '' || name.includes(' ')) return null
  const text = line.charCodeAt(colon + 1) === 32 ? colon + 2 : colon + 1
  return { time, yearless, host: line.slice(at, space), program: name, pid, message: line.slice(text) }
}

/** `time host program pid msgid structured-data message`, `-` for what is absent. */
function readRfc5424(line: string, start: number): SyslogLine | null {
  const fields: string[] = []
  let at = start
  while (fields.length < 5) {
    const space = line.indexOf(' ', at)
    if (space <= at || space - at > LONGEST_NAME) return null
    fields.push(line.slice(at, space))
    at = space + 1
  }
  const [time = '', host = '', program = '', pid = ''] = fields
  const text = afterStructuredData(line, at)
  if (program === '-' || text < 0) return null
  const message = line.charCodeAt(text) === 0xfeff ? line.slice(text + 1) : line.slice(text)
  return { time, yearless: false, host: present(host), program, pid: present(pid), message }
}

/** Where the message starts, -1 when the structured data is broken off. */
function afterStructuredData(line: string, start: number): number {
  if (line.charCodeAt(start) === 45) return Math.min(start + 2, line.length)
  let at = start
  while (line.charCodeAt(at) === 91) {
    let quoted = false
    for (at++; at < line.length; at++) {
      const code = line.charCodeAt(at)
      if (code === 92) at++
      else if (code === 34) quoted = !quoted
      else if (code === 93 && !quoted) break
    }
    if (at >= line.length) return -1
    at++
  }
  return at === start ? -1 : Math.min(at + 1, line.length)
}

const present = (value: string): string => (value === '-' ? '' : value)

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

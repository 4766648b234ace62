import { describe, expect, it } from 'vitest'
import { readSyslog } from '../../ingest/syslog-text.ts'

describe('the head of a syslog line', () => {
  it.each([
    ['Mar 27 13:06:56 h sshd[12]: text', 'Mar 27 13:06:56', true, 'h', 'sshd', '12', 'text'],
    ['<38>Mar  7 13:06:56 h sudo:   a : b', 'Mar  7 13:06:56', true, 'h', 'sudo', '', '  a : b'],
    [
      '2026-03-02T08:15:30.1+01:00 h sshd[12]: text',
      '2026-03-02T08:15:30.1+01:00',
      false,
      'h',
      'sshd',
      '12',
      'text',
    ],
    [
      '<38>1 2026-03-02T08:15:30Z h sshd 12 - - text',
      '2026-03-02T08:15:30Z',
      false,
      'h',
      'sshd',
      '12',
      'text',
    ],
    [
      '<38>1 2026-03-02T08:15:30Z - sshd - ID1 [a b="]\\"" c="d"][e] \ufefftext',
      '2026-03-02T08:15:30Z',
      false,
      '',
      'sshd',
      '',
      'text',
    ],
    ['<38>1 2026-03-02T08:15:30Z h sshd 12 - -', '2026-03-02T08:15:30Z', false, 'h', 'sshd', '12', ''],
  ])('%s', (line, time, yearless, host, program, pid, message) => {
    expect(readSyslog(line)).toEqual({ time, yearless, host, program, pid, message })
  })

  it.each([
    'Mar 27 13:06:56',
    'Mar 27 13:06:56 h',
    'Mar 27 13:06:56 h no tag here: text',
    'Mar 27 13:06:56 h sshd[12: text',
    '<38>1 2026-03-02T08:15:30Z h sshd 12 - [a="',
    '<38>1 2026-03-02T08:15:30Z h sshd',
    '<38>1 2026-03-02T08:15:30Z h - 12 - - text',
    '192.0.2.1 - - [02/Mar/2026:08:15:30 +0000] "GET /" 200 1',
    '2026-03-02 08:15:30,123 INFO text: x',
    `Mar 27 13:06:56 ${'h'.repeat(300)} sshd: x`,
    '',
  ])('is none in %s', (line) => {
    expect(readSyslog(line)).toBeNull()
  })
})

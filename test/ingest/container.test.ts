import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { exportDeadLetter } from '../../ingest/dead-letters.ts'
import { dead } from '../../ingest/outcome.ts'
import { bytesOfLetter, fake, fakeJson, interpret, readAll, words } from './fake-sources.ts'

const wrap = (value: unknown): string[] => words(interpret(JSON.stringify(value)))
const a = JSON.parse(fake('a', 1))
const b = JSON.parse(fake('b', 2))
const packed = (value: unknown): string => gzipSync(JSON.stringify(value)).toString('base64')

describe('containers', () => {
  const lists: readonly [string, unknown][] = [
    ['an array', [a, b]],
    ['CloudTrail files', { Records: [a, b] }],
    ['Azure diagnostic settings', { records: [a, b] }],
    ['a Kubernetes webhook', { kind: 'EventList', apiVersion: 'audit.k8s.io/v1', items: [a, b] }],
    [
      'a CloudWatch subscription',
      { messageType: 'DATA_MESSAGE', logEvents: [{ message: fake('a') }, { message: fake('b', 2) }] },
    ],
    [
      'the same, encoded for Lambda',
      { awslogs: { data: packed({ logEvents: [{ message: fake('a') }, { message: fake('b', 2) }] }) } },
    ],
    ['aws logs filter-log-events', { events: [{ message: fake('a') }, { message: fake('b', 2) }] }],
    [
      'aws cloudtrail lookup-events',
      { Events: [{ CloudTrailEvent: fake('a') }, { CloudTrailEvent: fake('b', 2) }] },
    ],
    ['SQS to Lambda', { Records: [{ body: fake('a') }, { body: fake('b', 2) }] }],
    ['SNS to Lambda', { Records: [{ Sns: { Message: fake('a') } }, { Sns: { Message: fake('b', 2) } }] }],
    [
      'Kinesis to Lambda',
      { Records: [{ kinesis: { data: packed(a) } }, { kinesis: { data: btoa(fake('b', 2)) } }] },
    ],
    ['Firehose', { requestId: 'r', records: [{ data: btoa(fake('a')) }, { data: packed(b) }] }],
    ['CloudTrail in SNS in SQS', { Body: JSON.stringify({ Message: JSON.stringify({ Records: [a, b] }) }) }],
  ]
  it.each(lists)('unwraps %s', (_name, value) => {
    expect(wrap(value)).toEqual(['a@1', 'b@2'])
  })

  const envelopes: readonly [string, unknown][] = [
    ['EventBridge', { 'detail-type': 'AWS API Call via CloudTrail', detail: a }],
    ['SNS', { Type: 'Notification', Message: fake('a') }],
    ['SQS', { MessageId: 'm', Body: fake('a') }],
    ['Fluent Bit with a raw line', { log: `${fake('a')}\n`, stream: 'stdout' }],
    ['Fluent Bit with an object', { log: a }],
    ['Vector', { message: fake('a'), host: 'h' }],
    ['Vector with an object', { message: a }],
    ['Filebeat', { message: 'rendered', event: { original: fake('a') } }],
    ['Filebeat, flattened', { 'event.original': fake('a') }],
    ['a text line in an envelope', { message: 'FAKE 1 a' }],
    ['a text line of Docker', { log: 'FAKE 1 a\n' }],
  ]
  it.each(envelopes)('unwraps %s', (_name, value) => {
    expect(wrap(value)).toEqual(['a@1'])
  })

  it('leaves a record alone that a source recognises as it stands', () => {
    expect(wrap({ ...a, message: fake('b'), Records: [b], log: b })).toEqual(['a@1'])
  })

  it('gives nothing for an empty list, and filters the control messages of CloudWatch', () => {
    expect(wrap({ Records: [] })).toEqual([])
    expect(wrap([])).toEqual([])
    expect(wrap({ messageType: 'CONTROL_MESSAGE', logEvents: [{ message: 'CWL CONTROL MESSAGE' }] })).toEqual(
      ['filtered:control-message'],
    )
  })

  it('refuses an element that is no object, and goes on', () => {
    const records = interpret('{"Records":[ null, 12 ,"text",{"fake":"a","t":1}, true]}')
    expect(words(records)).toEqual([
      'dead:container/not-an-object',
      'dead:container/not-an-object',
      'dead:container/not-an-object',
      'a@1',
      'dead:container/not-an-object',
    ])
    expect(records.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4])
    expect([0, 1, 2, 4].map((i) => bytesOfLetter(records[i]))).toEqual(['null', '12', '"text"', 'true'])
  })

  it('keeps the exact bytes of a dead element, at any depth', () => {
    const odd = '{ "what" : 1.0,"big":12345678901234567890 }'
    const cases: readonly [string, string][] = [
      [`[${fake('a')}, ${odd} ]`, odd],
      [`{"x":[1],"Records":[${fake('a')},\n${odd}]}`, odd],
      [`[${fake('a')},{"Records":[${odd}]}]`, odd],
      [JSON.stringify({ Message: `{"Records":[${fake('a')}, ${odd}]}` }), odd],
      [`{"awslogs":{"data":"${gzipSync(`{"Records":[${fake('a')}, ${odd}]}`).toString('base64')}"}}`, odd],
    ]
    for (const [line, expected] of cases) {
      const records = interpret(line)
      expect(words(records)).toEqual(['a@1', 'dead:recognise/unrecognised'])
      expect(bytesOfLetter(records[1])).toBe(expected)
    }
  })

  it('keeps the envelope of a single dead record: its other fields may matter', () => {
    for (const line of ['{"level":"info","message":"hello"}', '{"detail-type":"x","detail":{"y":1}}']) {
      const records = interpret(line)
      expect(words(records)).toEqual(['dead:recognise/unrecognised'])
      expect(bytesOfLetter(records[0])).toBe(line)
    }
  })

  it('reads a dead element that is given again', () => {
    const line = `{"logEvents":[{"id":"1","message":"${'{\\"fake\\":\\"a\\",\\"t\\":\\"wrong\\"}'}"}]}`
    const [first] = interpret(line)
    expect(first?.verdict).toMatchObject({ outcome: 'dead', reason: 'wrong-type' })
    const [again] = interpret(bytesOfLetter(first))
    expect(again?.verdict).toEqual(first?.verdict)
    expect(bytesOfLetter(again)).toBe(bytesOfLetter(first))
  })

  it('allows four containers and refuses a fifth', () => {
    const nest = (levels: number): unknown =>
      Array.from({ length: levels }).reduce((inner: unknown) => ({ message: JSON.stringify(inner) }), a)
    expect(wrap(nest(4))).toEqual(['a@1'])
    expect(wrap(nest(5))).toEqual(['dead:container/too-deep'])
    expect(wrap([[[[a]]]])).toEqual(['a@1'])
    expect(wrap([[[[[a]]]]])).toEqual(['dead:container/too-deep'])
    expect(wrap([[[[{ message: 'prose' }]]]])).toEqual(['dead:recognise/unrecognised'])
  })

  it('counts a dead letter as a container', () => {
    let line = fake('a')
    const verdict = dead('read', 'x', '')
    for (let i = 0; i < 5; i++) {
      expect(words(interpret(line))).toEqual(['a@1'])
      const position = { origin: '', line: 1, offset: 0, index: 0 }
      line = exportDeadLetter({ verdict, position, source: '', bytes: Buffer.from(line) })
    }
    expect(words(interpret(line))).toEqual(['dead:container/too-deep'])
  })

  it('refuses a damaged or endless payload, and goes on', () => {
    const cut = gzipSync(fake('b')).subarray(0, 20).toString('base64')
    expect(wrap([{ awslogs: { data: cut } }, a])).toEqual(['dead:container/bad-gzip', 'a@1'])
    const bomb = gzipSync(Buffer.alloc(300 * 1024 * 1024), { level: 1 }).toString('base64')
    expect(wrap([{ awslogs: { data: bomb } }, a])).toEqual(['dead:container/bad-gzip', 'a@1'])
    const latin = gzipSync(Buffer.from('{"a":"\xff"}', 'latin1')).toString('base64')
    expect(wrap([{ data: latin }, a])).toEqual(['dead:read/invalid-utf8', 'a@1'])
  })

  it('names the fields of what it does not know, never their values', () => {
    const [record] = interpret('{"password":"secret","b":1}')
    expect(record?.verdict).toMatchObject({ detail: 'no source knows an object of password, b' })
  })

  it('gives what a forced source does not recognise to it all the same, unless it is a container', async () => {
    const forced = { source: fakeJson }
    const { records } = await readAll('{"t":1}\n{"Records":[{"t":2},{"fake":"a","t":1}]}\nFAKE 1 a\n', forced)
    expect(words(records)).toEqual([
      'dead:parse/wrong-type',
      'dead:parse/wrong-type',
      'a@1',
      'dead:parse/not-json',
    ])
    expect(records.map(({ letter }) => letter?.source)).toEqual([
      'fake-json',
      'fake-json',
      undefined,
      'fake-json',
    ])
  })
})

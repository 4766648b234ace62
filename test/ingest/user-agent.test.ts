import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { userAgentFamily } from '../../ingest/user-agent.ts'

describe('software without its version', () => {
  it.each([
    ['', ''],
    ['   ', ''],
    ['aws-cli/2.15.0 md/Botocore#2.0.0 ua/2.0 os/linux#6.1', 'aws-cli'],
    ['[aws-cli/1.18.69 Python/3.8.10]', 'aws-cli'],
    ['aws-sdk-java/1.12.261 Linux/5.10 OpenJDK_64-Bit_Server_VM', 'aws-sdk-java'],
    ['aws-sdk-go-v2/1.30.0 os/linux lang/go#1.22', 'aws-sdk-go'],
    ['Boto3/1.26.90 Python/3.8.10 Linux/5.4.0 Botocore/1.29.90', 'boto3'],
    ['Botocore/1.29.90 Python/3.8', 'botocore'],
    ['APN/1.0 HashiCorp/1.0 Terraform/1.9.5 (+https://www.terraform.io)', 'terraform'],
    ['HashiCorp Terraform/1.2.3 (+https://www.terraform.io)', 'terraform'],
    ['APN/1.0 Pulumi/1.0 PulumiAws/6.0', 'Pulumi'],
    ['kubectl/v1.34.1 (linux/amd64) kubernetes/93248f9', 'kubectl'],
    ['kubectl.exe/v1.34.1 (windows/amd64) kubernetes/93248f9', 'kubectl'],
    ['kube-controller-manager/v1.34.4 (linux/amd64) kubernetes/9e8ee1b', 'kube-controller-manager'],
    ['kubelet/v1.34.4 (linux/amd64) kubernetes/9e8ee1b', 'kubelet'],
    ['Go-http-client/2.0', 'Go-http-client'],
    ['curl/8.5.0', 'curl'],
    ['python-requests/2.31.0', 'python-requests'],
    ['s3cmd/2.4', 's3cmd'],
    ['k8s-client', 'k8s-client'],
    ['oauth2-proxy/7.6', 'oauth2-proxy'],
    ['[S3Console/0.4, aws-internal/3 aws-sdk-java/1.11]', 'S3Console'],
    ['autoscaling.amazonaws.com', 'aws-service:autoscaling'],
    ['ec2.cn-north-1.amazonaws.com.cn', 'aws-service:ec2.cn-north-1'],
    ['not a.amazonaws.com', 'not'],
    ['AWS Internal', 'aws-internal'],
    ['aws-internal/3 aws-sdk-java/1.12', 'aws-internal'],
    ['Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0', 'browser'],
    ['Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1)', 'browser'],
    ['Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)', 'Googlebot'],
    ['Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.19041', 'PowerShell'],
    ['3fa85f64-5717-4562-b3fc-2c963f66afa6', 'unnamed'],
    ['12345', 'unnamed'],
    ['\u0000', 'unnamed'],
  ])('%j', (agent, family) => expect(userAgentFamily(agent)).toBe(family))
})

describe('builds and instances of one software are one family', () => {
  it.each([
    ['worker-7f9c8d6b5-xk4bz/1.0', 'worker-59d4c7f6b8-2vqzn/1.0', 'worker'],
    ['svc-3fa85f64-5717-4562-b3fc-2c963f66afa6', 'svc-9b2d1c33-0a4e-4f6b-8d11-7f5e2c1b0a99', 'svc'],
    ['deployer-20260301.17', 'deployer-20260302.4', 'deployer'],
    ['agent+deadbee7', 'agent+0badf00d', 'agent'],
    ['runner_v1.2.3', 'runner_v2.0.0-rc1', 'runner'],
    ['node-agent-42', 'node-agent-43', 'node-agent'],
  ])('%s and %s', (one, other, family) => {
    expect(userAgentFamily(one)).toBe(family)
    expect(userAgentFamily(other)).toBe(family)
  })

  it('any version and any build', () => {
    fc.assert(
      fc.property(fc.nat(99), fc.nat(999), fc.uuid(), (major, minor, build) => {
        expect(userAgentFamily(`ship-it/${major}.${minor} (build ${build})`)).toBe('ship-it')
        expect(userAgentFamily(`ship-it-${major}.${minor}`)).toBe('ship-it')
        expect(userAgentFamily(`ship-it-${build}`)).toBe('ship-it')
      }),
    )
  })
})

it('is short, can be stored, and empty only for an empty agent', () => {
  expect(userAgentFamily(`${'a'.repeat(63)}😀`)).toBe(`${'a'.repeat(63)}\ufffd`)
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 700 }), (agent) => {
      const family = userAgentFamily(agent)
      expect(family.length).toBeLessThanOrEqual(64)
      expect(family).not.toMatch(/\p{Cs}/u)
      expect(family === '').toBe(agent.slice(0, 512).trim() === '')
    }),
    { numRuns: 1000 },
  )
})

it('a long agent is judged by its first 512 characters, in no time', () => {
  expect(userAgentFamily(`${' '.repeat(512)}curl/8`)).toBe('')
  const started = performance.now()
  for (let i = 0; i < 50; i++) {
    expect(userAgentFamily(`curl/${i}${'9-'.repeat(1_000_000)}`)).toBe('curl')
    userAgentFamily(`${'-'.repeat(510)}${i}`)
    userAgentFamily(`Mozilla/5.0 ${'(compatible; '.repeat(40)}${i}`)
  }
  expect(performance.now() - started).toBeLessThan(2000)
})

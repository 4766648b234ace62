import { hashNumbers, hashText, Random } from '../random.ts'
import { type AwsActor, createAwsActor } from './aws-actor.ts'
import { LEGACY_OPERATIONS, PERSON_OPERATIONS } from './aws-operations.ts'
import type { CastContext } from './cast-context.ts'
import { ACCOUNT, awsId, cloudTrailLine, iamUser } from './cloudtrail-record.ts'
import { hostIn, type Network, otherHostIn } from './networks.ts'
import { type CompanyIdentity, DAY, HOUR } from './record.ts'
import { officeHours, person } from './rhythm.ts'

const BROWSER =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36'

/** Day at which a fixed address moves inside its own network; never for half of them. */
export function egressChangeDay(context: CastContext, seed: number): number {
  return hashNumbers(seed, 21) % 2 === 0
    ? Number.POSITIVE_INFINITY
    : Math.floor(context.days * (0.3 + (hashNumbers(seed, 22) % 40) / 100))
}

/** An old script with a long-term key on one host. */
export function legacyBot(context: CastContext, name: string, network: Network): AwsActor {
  const user = `synthetic-${name}-bot`
  const identity: CompanyIdentity = {
    id: `arn:aws:iam::${ACCOUNT}:user/${user}`,
    source: 'cloudtrail',
    archetype: 'long-term-key',
    name: user,
    owner: context.ownerOf(name),
    human: false,
    habits: `Legacy script with a long-term key on one fixed host (${network}), mostly in office hours.`,
  }
  const seed = hashNumbers(context.seed, hashText(identity.id))
  const changeDay = egressChangeDay(context, seed)
  return createAwsActor({
    ...context.common(seed, name, LEGACY_OPERATIONS, officeHours(12, 1)),
    identity,
    slots: 1,
    epochAt: (time) => [time >= context.start + changeDay * DAY ? 1 : 0, 0],
    credential: (epoch) => {
      const accessKeyId = awsId('AKIA', new Random(seed, 1))
      return {
        userIdentity: iamUser({ name: user, userId: awsId('AIDA', new Random(seed, 2)), accessKeyId }),
        accessKeyId,
        session: '',
        address: epoch[0] === 0 ? hostIn(network, seed) : otherHostIn(network, seed),
        userAgent: 'Boto3/1.26.90 Python/3.8.10 Linux/5.4.0-200-generic Botocore/1.29.90',
        created: 0,
      }
    },
  })
}

/** A person at the console. */
export function administrator(
  context: CastContext,
  name: string,
  network: Network,
  offset: number,
): AwsActor {
  const identity: CompanyIdentity = {
    id: `arn:aws:iam::${ACCOUNT}:user/${name}`,
    source: 'cloudtrail',
    archetype: 'person',
    name,
    owner: `${name}@synthetic.example`,
    human: true,
    habits: `A person at the console with MFA, irregular working hours, from home or office (${network}).`,
  }
  const seed = hashNumbers(context.seed, hashText(identity.id))
  return createAwsActor({
    ...context.common(seed, 'console', PERSON_OPERATIONS, person(22, offset)),
    identity,
    slots: 1,
    epochAt: (time) => [0, Math.floor((time - 4 * HOUR) / DAY)],
    credential: (epoch) => {
      const created = epoch[1] * DAY + 4 * HOUR
      const accessKeyId = awsId('ASIA', new Random(seed, 0, 0, epoch[1]))
      return {
        userIdentity: iamUser({
          name,
          userId: awsId('AIDA', new Random(seed, 2)),
          accessKeyId,
          console: created,
        }),
        accessKeyId,
        session: '',
        address: hostIn(network, hashNumbers(seed, hashNumbers(seed, epoch[1]) % 3)),
        userAgent: BROWSER,
        created,
        extra: ',"sessionCredentialFromConsole":"true"',
      }
    },
    issuing: {
      when: 'some-hours',
      write: (time, credential, random) =>
        cloudTrailLine(
          {
            time,
            service: 'signin',
            name: 'ConsoleLogin',
            readOnly: false,
            userIdentity: iamUser({ name, userId: awsId('AIDA', new Random(seed, 2)), accessKeyId: '' }),
            address: credential.address,
            userAgent: BROWSER,
            parameters: 'null',
            response: '{"ConsoleLogin":"Success"}',
            eventType: 'AwsConsoleSignIn',
            extra:
              ',"additionalEventData":{"LoginTo":"https://console.aws.amazon.com/console/home","MobileVersion":"No","MFAUsed":"Yes"}',
          },
          random,
        ),
    },
  })
}

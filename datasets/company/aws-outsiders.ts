import { hashNumbers, Random } from '../random.ts'
import { type AwsActor, createAwsActor } from './aws-actor.ts'
import { AUTOSCALING_OPERATIONS, CI_OPERATIONS, VENDOR_OPERATIONS } from './aws-operations.ts'
import { roleOf } from './aws-roles.ts'
import type { CastContext } from './cast-context.ts'
import { ACCOUNT, assumedRole, awsId, cloudTrailLine, VENDOR_ACCOUNT } from './cloudtrail-record.ts'
import { hostIn } from './networks.ts'
import { HOUR, MINUTE } from './record.ts'
import { pipelineRuns, roundTheClock } from './rhythm.ts'

export const OIDC_PROVIDER = `arn:aws:iam::${ACCOUNT}:oidc-provider/token.actions.githubusercontent.com`
export const REPOSITORY = 'repo:synthetic-company/platform:ref:refs/heads/main'

/** The deployer: each run on a hosted runner signs in anew, from another address. */
export function ciDeployer(context: CastContext): AwsActor {
  const { arn, roleId, identity, seed, common } = roleOf(context, {
    archetype: 'ci-deployer',
    name: 'synthetic-ci-deployer',
    workload: 'artifacts',
    habits: 'Deploys on working days from hosted runners (Azure); each run is a new session and address.',
    operations: CI_OPERATIONS,
    rhythm: pipelineRuns(2.2, 28),
  })
  return createAwsActor({
    ...common,
    identity,
    slots: 1,
    epochAt: (time) => [0, Math.floor(time / (10 * MINUTE))],
    credential: (epoch) => {
      const session = `GitHubActions-${epoch[1]}`
      const accessKeyId = awsId('ASIA', new Random(seed, 0, 0, epoch[1]))
      const created = epoch[1] * 10 * MINUTE
      return {
        userIdentity: assumedRole({
          roleArn: arn,
          roleId,
          session,
          accessKeyId,
          created,
          context: `,"webIdFederationData":{"federatedProvider":"${OIDC_PROVIDER}","attributes":{}}`,
        }),
        accessKeyId,
        session,
        address: hostIn('azure', hashNumbers(seed, epoch[1])),
        userAgent:
          'APN/1.0 HashiCorp/1.0 Terraform/1.9.8 (+https://www.terraform.io) terraform-provider-aws/5.76.0 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.32.4 ua/2.1 os/linux lang/go#1.23.3 md/GOOS#linux md/GOARCH#amd64',
        created,
      }
    },
    issuing: {
      when: 'run',
      write: (time, credential, random) =>
        cloudTrailLine(
          {
            time,
            service: 'sts',
            name: 'AssumeRoleWithWebIdentity',
            readOnly: true,
            userIdentity: `{"type":"WebIdentityUser","principalId":"${OIDC_PROVIDER}:sts.amazonaws.com:${REPOSITORY}","userName":"${REPOSITORY}","identityProvider":"${OIDC_PROVIDER}"}`,
            address: credential.address,
            userAgent: 'aws-sdk-nodejs/2.1692.0 linux/v20.18.0 configure-aws-credentials-for-github-actions',
            parameters: `{"roleArn":"${arn}","roleSessionName":"${credential.session}","durationSeconds":3600}`,
            response: `{"credentials":{"accessKeyId":"${credential.accessKeyId}","sessionToken":"REDACTED"},"subjectFromWebIdentityToken":"${REPOSITORY}","provider":"${OIDC_PROVIDER}","audience":"sts.amazonaws.com"}`,
            resources: `[{"accountId":"${ACCOUNT}","type":"AWS::IAM::Role","ARN":"${arn}"}]`,
          },
          random,
        ),
    },
  })
}

/** A role assumed from outside on one fixed address: the vendor's poller. */
export function vendor(context: CastContext): AwsActor {
  const { arn, roleId, identity, seed, common } = roleOf(context, {
    archetype: 'vendor',
    name: 'synthetic-vendor-monitoring',
    workload: 'monitoring',
    habits:
      "A monitoring vendor's account assumes it every hour from Google's cloud and describes things all day.",
    operations: VENDOR_OPERATIONS,
    rhythm: roundTheClock(28, 0, 1),
  })
  const vendorId = vendorPrincipal(context)
  return createAwsActor({
    ...common,
    identity,
    slots: 1,
    epochAt: (time) => [0, Math.floor(time / HOUR)],
    credential: (epoch) => {
      const accessKeyId = awsId('ASIA', new Random(seed, 0, 0, epoch[1]))
      return {
        userIdentity: assumedRole({
          roleArn: arn,
          roleId,
          session: 'vendor-poller',
          accessKeyId,
          created: epoch[1] * HOUR,
        }),
        accessKeyId,
        session: 'vendor-poller',
        address: hostIn('google', hashNumbers(seed, Math.floor(epoch[1] / 400))),
        userAgent: 'aws-sdk-go/1.55.5 (go1.22.8; linux; amd64) vendor-poller/4.18',
        created: epoch[1] * HOUR,
      }
    },
    issuing: {
      when: 'epoch',
      write: (time, credential, random) =>
        cloudTrailLine(
          {
            time,
            service: 'sts',
            name: 'AssumeRole',
            readOnly: true,
            userIdentity: `{"type":"AWSAccount","principalId":"${vendorId}:poller","accountId":"${VENDOR_ACCOUNT}"}`,
            address: credential.address,
            userAgent: credential.userAgent,
            parameters: `{"roleArn":"${arn}","roleSessionName":"vendor-poller","externalId":"synthetic-external-id"}`,
            response: `{"credentials":{"accessKeyId":"${credential.accessKeyId}","sessionToken":"REDACTED"}}`,
            resources: `[{"accountId":"${ACCOUNT}","type":"AWS::IAM::Role","ARN":"${arn}"}]`,
          },
          random,
        ),
    },
  })
}

/** Unique id of the vendor's own principal, all that CloudTrail shows of it here. */
export const vendorPrincipal = (context: CastContext): string => awsId('AROA', new Random(context.seed, 77))

/** The service-linked role of EC2 Auto Scaling. */
export function autoscaling(context: CastContext): AwsActor {
  const service = 'autoscaling.amazonaws.com'
  const { arn, roleId, identity, seed, common } = roleOf(context, {
    archetype: 'autoscaling',
    name: 'AWSServiceRoleForAutoScaling',
    path: `aws-service-role/${service}/`,
    workload: 'web',
    habits: 'Service-linked role: EC2 Auto Scaling checks and replaces instances, always as the service.',
    operations: AUTOSCALING_OPERATIONS,
    rhythm: roundTheClock(9),
  })
  return createAwsActor({
    ...common,
    identity,
    slots: 1,
    epochAt: (time) => [0, Math.floor(time / HOUR)],
    credential: (epoch) => {
      const accessKeyId = awsId('ASIA', new Random(seed, 0, 0, epoch[1]))
      return {
        userIdentity: assumedRole({
          roleArn: arn,
          roleId,
          session: 'AutoScaling',
          accessKeyId,
          created: epoch[1] * HOUR,
          extra: `,"invokedBy":"${service}"`,
        }),
        accessKeyId,
        session: 'AutoScaling',
        address: service,
        userAgent: service,
        created: epoch[1] * HOUR,
      }
    },
  })
}

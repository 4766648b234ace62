/** Which access level an AWS operation has where neither its verb nor its name tells. */
import type { AccessLevel } from './activity.ts'

/** `names` are operations of `service`, separated by blanks. */
export const operationsOf = (service: string, names: string): readonly string[] =>
  names.split(/\s+/).flatMap((name) => (name === '' ? [] : [`${service}:${name}`]))

const LEVEL_LISTS: Readonly<Partial<Record<AccessLevel, readonly string[]>>> = {
  auth: [
    ...operationsOf(
      'sts',
      'AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity AssumeRoot GetSessionToken',
    ),
    ...operationsOf('sts', 'GetFederationToken'),
    ...operationsOf('sso', 'Authenticate Federate GetRoleCredentials Logout'),
    ...operationsOf('sso-oauth', 'CreateToken CreateTokenWithIAM'),
    ...operationsOf('rolesanywhere', 'CreateSession'),
    ...operationsOf('eks-auth', 'AssumeRoleForPodIdentity'),
    ...operationsOf(
      'cognito-identity',
      'GetCredentialsForIdentity GetOpenIdToken GetOpenIdTokenForDeveloperIdentity',
    ),
    ...operationsOf('cognito-idp', 'InitiateAuth AdminInitiateAuth RespondToAuthChallenge'),
  ],
  permissions: [
    ...operationsOf(
      'iam',
      'AddUserToGroup RemoveUserFromGroup AddRoleToInstanceProfile RemoveRoleFromInstanceProfile',
    ),
    ...operationsOf(
      'iam',
      'AttachUserPolicy AttachRolePolicy AttachGroupPolicy DetachUserPolicy DetachRolePolicy',
    ),
    ...operationsOf(
      'iam',
      'DetachGroupPolicy PutUserPolicy PutRolePolicy PutGroupPolicy DeleteUserPolicy DeleteRolePolicy',
    ),
    ...operationsOf(
      'iam',
      'DeleteGroupPolicy CreatePolicy DeletePolicy CreatePolicyVersion DeletePolicyVersion',
    ),
    ...operationsOf(
      'iam',
      'SetDefaultPolicyVersion UpdateAssumeRolePolicy CreateRole CreateUser DeleteRole DeleteUser',
    ),
    ...operationsOf(
      'iam',
      'CreateAccessKey UpdateAccessKey DeleteAccessKey CreateLoginProfile UpdateLoginProfile',
    ),
    ...operationsOf(
      'iam',
      'DeleteLoginProfile CreateServiceSpecificCredential ResetServiceSpecificCredential',
    ),
    ...operationsOf(
      'iam',
      'UploadSigningCertificate UploadSSHPublicKey CreateSAMLProvider UpdateSAMLProvider',
    ),
    ...operationsOf('iam', 'DeleteSAMLProvider CreateOpenIDConnectProvider DeleteOpenIDConnectProvider'),
    ...operationsOf('iam', 'AddClientIDToOpenIDConnectProvider UpdateOpenIDConnectProviderThumbprint'),
    ...operationsOf('iam', 'DeactivateMFADevice DeleteVirtualMFADevice UpdateAccountPasswordPolicy'),
    ...operationsOf('iam', 'DeleteAccountPasswordPolicy CreateServiceLinkedRole'),
    ...operationsOf(
      'ec2',
      'ModifySnapshotAttribute ModifyImageAttribute ResetSnapshotAttribute ResetImageAttribute',
    ),
    ...operationsOf('ec2', 'AssociateIamInstanceProfile ReplaceIamInstanceProfileAssociation'),
    ...operationsOf('ec2', 'DisassociateIamInstanceProfile ModifyVpcEndpointServicePermissions'),
    ...operationsOf(
      'rds',
      'ModifyDBSnapshotAttribute ModifyDBClusterSnapshotAttribute AddRoleToDBInstance AddRoleToDBCluster',
    ),
    ...operationsOf('kms', 'CreateGrant RetireGrant RevokeGrant PutKeyPolicy'),
    ...operationsOf(
      'lambda',
      'AddPermission RemovePermission AddLayerVersionPermission RemoveLayerVersionPermission',
    ),
    ...operationsOf('lambda', 'CreateFunctionUrlConfig UpdateFunctionUrlConfig'),
    ...operationsOf('sns', 'AddPermission RemovePermission'),
    ...operationsOf('sqs', 'AddPermission RemovePermission'),
    ...operationsOf('ssm', 'ModifyDocumentPermission'),
    ...operationsOf('ram', 'CreateResourceShare AssociateResourceShare DisassociateResourceShare'),
    ...operationsOf(
      'organizations',
      'AttachPolicy DetachPolicy CreatePolicy UpdatePolicy DeletePolicy EnablePolicyType',
    ),
    ...operationsOf(
      'organizations',
      'DisablePolicyType RegisterDelegatedAdministrator DeregisterDelegatedAdministrator',
    ),
    ...operationsOf('organizations', 'EnableAWSServiceAccess DisableAWSServiceAccess LeaveOrganization'),
    ...operationsOf('organizations', 'RemoveAccountFromOrganization InviteAccountToOrganization'),
    ...operationsOf(
      'sso',
      'CreateAccountAssignment DeleteAccountAssignment AttachManagedPolicyToPermissionSet',
    ),
    ...operationsOf(
      'sso',
      'PutInlinePolicyToPermissionSet AttachCustomerManagedPolicyReferenceToPermissionSet',
    ),
    ...operationsOf('sso', 'CreatePermissionSet UpdatePermissionSet ProvisionPermissionSet'),
    ...operationsOf('identitystore', 'CreateGroupMembership DeleteGroupMembership'),
    ...operationsOf(
      'eks',
      'CreateAccessEntry AssociateAccessPolicy DisassociateAccessPolicy UpdateAccessEntry',
    ),
    ...operationsOf('eks', 'AssociateIdentityProviderConfig CreatePodIdentityAssociation'),
    ...operationsOf(
      'rolesanywhere',
      'CreateTrustAnchor UpdateTrustAnchor EnableTrustAnchor CreateProfile UpdateProfile',
    ),
    ...operationsOf(
      'lakeformation',
      'GrantPermissions RevokePermissions BatchGrantPermissions PutDataLakeSettings',
    ),
    ...operationsOf('cognito-identity', 'SetIdentityPoolRoles'),
    ...operationsOf('redshift', 'AuthorizeSnapshotAccess RevokeSnapshotAccess AuthorizeDataShare'),
    ...operationsOf('events', 'PutPermission RemovePermission'),
    ...operationsOf('es', 'UpdateElasticsearchDomainConfig UpdateDomainConfig'),
    ...operationsOf('codebuild', 'UpdateProjectVisibility'),
  ],
}

/** Levels that neither the verb nor the name tells. */
export const LEVELS: ReadonlyMap<string, AccessLevel> = new Map(
  Object.entries(LEVEL_LISTS).flatMap(([level, keys]) => {
    const known = level === 'auth' ? ('auth' as const) : ('permissions' as const)
    return keys.map((key): [string, AccessLevel] => [key, known])
  }),
)

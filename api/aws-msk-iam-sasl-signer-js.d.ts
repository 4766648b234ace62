/** AWS' own signer for MSK, an optional peer: whoever needs it installs it (`docs/decisions.md`). */
declare module 'aws-msk-iam-sasl-signer-js' {
  export function generateAuthToken(options: {
    readonly region: string
  }): Promise<{ readonly token: string; readonly expiryTime: number }>
}

// A relying party on openid-client that handles many sign-ins in one process. Each line of standard
// input is a callback URL. For each line the program redeems the code, checks the signature of
// the ID token, and prints "ok" or the error.
import { createInterface } from 'node:readline'
import * as oidc from 'openid-client'

const [issuer, clientID, secret, verifier] = process.argv.slice(2)
const config = await oidc.discovery(new URL(issuer), clientID, undefined, oidc.ClientSecretBasic(secret),
  { execute: [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks] })

for await (const address of createInterface({ input: process.stdin })) {
  try {
    await oidc.authorizationCodeGrant(config, new URL(address), { pkceCodeVerifier: verifier, idTokenExpected: true })
    console.log('ok')
  } catch (error) {
    console.log(`${error.code}: ${error.message} ${error.cause ?? ''}`.replaceAll('\n', ' '))
  }
}

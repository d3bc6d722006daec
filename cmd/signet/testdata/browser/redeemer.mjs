// A relying party on openid-client that lives on: the address a browser came back
// to on each line of standard input, "ok" or what was wrong on each line of standard
// output. It checks the signature of each ID token.
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

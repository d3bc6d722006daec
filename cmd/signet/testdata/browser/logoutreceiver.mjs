// A relying party that hears of sign-outs. openid-client finds the keys; it has nothing
// for logout tokens, which jose checks as OIDC Back-Channel Logout, section 2.6, wants.
// A line of standard input is how to answer from now on: a status, or "hang". The line
// of standard output that comes for it has the claims of the tokens that came before,
// or what was wrong with them.
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { createInterface } from 'node:readline'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import * as oidc from 'openid-client'

const [issuer, clientID, port] = process.argv.slice(2)
const config = await oidc.discovery(new URL(issuer), clientID, undefined, oidc.None(), { execute: [oidc.allowInsecureRequests] })
const keys = createRemoteJWKSet(new URL(config.serverMetadata().jwks_uri))
const event = 'http://schemas.openid.net/event/backchannel-logout'

async function logout(token) {
  const { payload } = await jwtVerify(token, keys, {
    issuer, audience: clientID, typ: 'logout+jwt', algorithms: ['RS256'], requiredClaims: ['iat', 'exp', 'jti', 'sid', 'sub', 'events'],
  })
  if (typeof payload.events[event] !== 'object' || 'nonce' in payload) throw new Error('this is no logout token')
  return payload
}

let answer = '200', came = []
createServer(async (request, response) => {
  const form = new URLSearchParams(await text(request))
  came.push(await logout(form.get('logout_token')).catch(error => ({ error: `${error.code}: ${error.message}` })))
  if (answer !== 'hang') response.writeHead(Number(answer)).end()
}).listen(Number(port), '127.0.0.1')

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(came))
  answer = line
  came = []
}

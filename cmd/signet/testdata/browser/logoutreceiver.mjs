// A relying party that receives logout tokens. openid-client finds the keys but does not support
// logout tokens, so jose checks them (OIDC Back-Channel Logout, section 2.6). Each line of
// standard input sets the answer to later requests: a status, or "hang". For each line, the
// program prints the claims or the errors of the tokens that it has received since the last line.
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
  if (typeof payload.events[event] !== 'object' || 'nonce' in payload) throw new Error('not a logout token')
  return payload
}

let answer = '200', received = []
createServer(async (request, response) => {
  const form = new URLSearchParams(await text(request))
  received.push(await logout(form.get('logout_token')).catch(error => ({ error: `${error.code}: ${error.message}` })))
  if (answer !== 'hang') response.writeHead(Number(answer)).end()
}).listen(Number(port), '127.0.0.1')

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(received))
  answer = line
  received = []
}

// The peer of a benchmark: oidc-provider (node-oidc-provider) on loopback with its own in-memory store,
// one client, and a sign-in page that accepts any name. It reads a job from stdin as JSON.
import { createServer } from 'node:http'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import Provider from 'oidc-provider'

const job = JSON.parse(readFileSync(0, 'utf8'))
const pair = job.algorithm === 'RS256' ? ['rsa', { modulusLength: 2048 }] : ['ec', { namedCurve: 'P-256' }]
const key = generateKeyPairSync(...pair).privateKey.export({ format: 'jwk' })
const provider = new Provider(job.issuer, {
  clients: [{
    client_id: job.client_id, client_secret: job.client_secret, redirect_uris: [job.redirect_uri],
    grant_types: ['authorization_code', 'refresh_token'], id_token_signed_response_alg: job.algorithm,
  }],
  jwks: { keys: [{ ...key, use: 'sig', alg: job.algorithm }] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  features: { devInteractions: { enabled: false } },
  issueRefreshToken: () => true,
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  async loadExistingGrant({ oidc }) { // no consent page, like the other side
    const earlier = oidc.session.grantIdFor(oidc.client.clientId)
    const found = earlier && await oidc.provider.Grant.find(earlier)
    if (found) return found
    const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId })
    grant.addOIDCScope('openid')
    await grant.save()
    return grant
  },
})

async function interaction(request, response) {
  if (request.method !== 'POST') return response.setHeader('Content-Type', 'text/html').end('<form id="enter" method="post"><input name="name"></form>')
  let body = ''
  for await (const part of request) body += part
  await provider.interactionFinished(request, response, { login: { accountId: new URLSearchParams(body).get('name') } })
}

const { hostname, port } = new URL(job.issuer)
const answer = provider.callback()
createServer((request, response) => (request.url.startsWith('/interaction/') ? interaction : answer)(request, response))
  .listen(Number(port), hostname)

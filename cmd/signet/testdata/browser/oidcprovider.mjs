// An upstream from another project: oidc-provider (node-oidc-provider) on loopback, with one client
// and a sign-in page that accepts any name. It reads a job from stdin as JSON, and prints a line
// when it listens.
import { createServer } from 'node:http'
import { readFileSync } from 'node:fs'
import Provider from 'oidc-provider'

const job = JSON.parse(readFileSync(0, 'utf8'))
const provider = new Provider(job.issuer, {
  clients: [{ client_id: job.client_id, client_secret: job.client_secret, redirect_uris: [job.redirect_uri] }],
  cookies: { keys: [job.client_secret] },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  features: { devInteractions: { enabled: false } },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: `${id} of Elsewhere`, email: `${id}@elsewhere.example`, email_verified: true }),
  }),
  // No consent page, because the client belongs to the operator.
  async loadExistingGrant({ oidc }) {
    const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId })
    grant.addOIDCScope('openid profile email')
    await grant.save()
    return grant
  },
})

const page = `<!doctype html><html lang="en"><title>Elsewhere</title><h1>Elsewhere</h1>
<form method="post"><label>Name <input id="name" name="name"></label>
<button id="enter">Sign in</button> <button id="cancel" name="cancel" value="1">Cancel</button></form>`

async function interaction(request, response) {
  if (request.method !== 'POST') return response.setHeader('Content-Type', 'text/html').end(page)
  let body = ''
  for await (const part of request) body += part
  const form = new URLSearchParams(body)
  await provider.interactionFinished(request, response, form.has('cancel')
    ? { error: 'access_denied', error_description: 'End-User aborted interaction' }
    : { login: { accountId: form.get('name') } })
}

const { hostname, port } = new URL(job.issuer)
createServer((request, response) =>
  (request.url.startsWith('/interaction/') ? interaction : provider.callback())(request, response),
).listen(Number(port), hostname, () => console.log('listening'))

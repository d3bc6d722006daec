// A relying party on openid-client that asks for the strength of a sign-in, and an API on oauth4webapi
// that asks for a stronger one (RFC 9470). Each line of standard input starts a story in JSON. When a
// story needs the browser, the program prints {"visit": URL}, and the next line is the URL at which the
// browser left the provider. Its last line is the report of the story.
//
//   node acrparty.mjs ISSUER
import { createServer } from 'node:http'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import * as oauth from 'oauth4webapi'
import * as oidc from 'openid-client'

const issuer = new URL(process.argv[2])
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const nextLine = async () => (await lines.next()).value
const say = value => console.log(JSON.stringify(value))

async function visit(url) {
  say({ visit: url })
  return new URL(await nextLine())
}

const discover = ({ client_id, secret }) => oidc.discovery(issuer, client_id, secret, undefined, { execute: [oidc.allowInsecureRequests] })

// signIn sends an authorization request with more parameters and redeems its code. The library checks
// auth_time against max_age. Whether acr is enough, the application must check itself.
async function signIn(config, { redirect_uri }, parameters, enough) {
  const checks = { pkceCodeVerifier: oidc.randomPKCECodeVerifier(), expectedState: oidc.randomState(), idTokenExpected: true }
  if (parameters.max_age) checks.maxAge = Number(parameters.max_age)
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri, scope: 'openid', state: checks.expectedState, ...parameters,
    code_challenge: await oidc.calculatePKCECodeChallenge(checks.pkceCodeVerifier), code_challenge_method: 'S256',
  })
  const tokens = await oidc.authorizationCodeGrant(config, await visit(url), checks)
  const { acr } = tokens.claims()
  if (enough && !enough.includes(acr)) throw new Error(`the sign-in has the acr ${acr}`)
  return tokens
}

// startAPI starts an API that wants two factors, given within the last five minutes. It checks access
// tokens by RFC 9068.
async function startAPI() {
  const options = { [oauth.allowInsecureRequests]: true }
  const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, options))
  const api = createServer(async (request, response) => {
    try {
      const { acr, auth_time, sub } = await oauth.validateJwtAccessToken(server,
        new Request('http://localhost/', { headers: request.headers }), issuer.href.replace(/\/$/, ''), options)
      if (acr === 'urn:signet:2fa' && Date.now() / 1000 - auth_time < 300) return response.end(sub)
      response.writeHead(401, { 'www-authenticate': 'Bearer error="insufficient_user_authentication", acr_values="urn:signet:2fa", max_age="300"' }).end()
    } catch (error) {
      response.writeHead(500).end(`${error.message} ${error.cause ?? ''}`)
    }
  })
  api.listen(0, '127.0.0.1')
  await once(api, 'listening')
  api.unref()
  return new URL(`http://127.0.0.1:${api.address().port}/`)
}

const stories = {
  // One sign-in. The report is the acr of the ID token, or the error of the response.
  ask: async job => {
    try {
      const tokens = await signIn(await discover(job), job, job.parameters)
      return { acr: tokens.claims().acr }
    } catch (error) {
      if (!(error instanceof oidc.AuthorizationResponseError)) throw error
      return { error: error.error }
    }
  },

  // The API refuses the token of a weak sign-in; its challenge becomes the next request.
  api: async job => {
    const [config, api] = [await discover(job), await startAPI()]
    const call = tokens => oidc.fetchProtectedResource(config, tokens.access_token, api, 'GET')
    const weak = await signIn(config, job, {})
    const report = { statuses: [] }
    const { status, cause: [{ parameters }] } = await call(weak).then(response => { throw new Error(`the API answers ${response.status}`) }, error => {
      if (!error.cause?.[0]?.parameters) throw error
      return error
    })
    report.challenge = parameters.error
    report.statuses.push(status)
    const strong = await signIn(config, job, { acr_values: parameters.acr_values, max_age: parameters.max_age }, parameters.acr_values.split(' '))
    const answer = await call(strong)
    report.statuses.push(answer.status)
    report.subject = await answer.text()
    if (report.subject !== strong.claims().sub) throw new Error(`the API answers ${answer.status}: ${report.subject}`)
    return report
  },
}

for (;;) {
  const line = await nextLine()
  if (line === undefined) break
  const job = JSON.parse(line)
  try {
    say(await stories[job.story](job))
  } catch (error) {
    say({ failed: `${error.message} ${error.cause ?? ''}` })
  }
}

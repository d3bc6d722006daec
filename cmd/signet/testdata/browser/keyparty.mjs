// A relying party on openid-client whose clients prove themselves with keys, sign their requests,
// push them, or register themselves. Each line of standard input starts a story in JSON. When a story needs
// the browser, the program prints {"visit": URL}, and the next line is the URL at which the browser
// left the provider. Its last line is the report of the story.
//
//   node keyparty.mjs ISSUER
import { createInterface } from 'node:readline'
import * as oidc from 'openid-client'

const issuer = new URL(process.argv[2])
const options = { execute: [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks] } // http, on loopback
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const nextLine = async () => (await lines.next()).value
const say = value => console.log(JSON.stringify(value))

const algorithms = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  RS256: { name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' },
}
const generate = alg => crypto.subtle.generateKey(algorithms[alg], true, ['sign', 'verify'])
const keys = { ES256: await generate('ES256'), RS256: await generate('RS256') }
const publicKeys = async () => ({
  keys: await Promise.all(Object.entries(keys).map(async ([alg, { publicKey }]) =>
    ({ ...await crypto.subtle.exportKey('jwk', publicKey), kid: alg, alg, use: 'sig' }))),
})
// Signatures with ES256 name their key, those with RS256 do not.
const signingKey = alg => alg === 'ES256' ? { key: keys[alg].privateKey, kid: alg } : keys[alg].privateKey
const proofBy = alg => oidc.PrivateKeyJwt(signingKey(alg))

// refusal returns the error of a promise that must fail. For a response with a challenge the library
// leaves the body to its caller.
const refusal = promise => promise.then(() => 'no error', async error =>
  error.error ?? (error instanceof oidc.WWWAuthenticateChallengeError ? (await error.response.json()).error : `${error.code}: ${error.message}`))

// begin returns the URL of a sign-in and the checks of its response.
async function begin(config, { redirect_uri, push, sign }, { pkce = true } = {}) {
  const checks = { pkceCodeVerifier: oidc.randomPKCECodeVerifier(), expectedState: oidc.randomState(), idTokenExpected: true }
  let parameters = { redirect_uri, scope: 'openid email offline_access', prompt: 'consent', state: checks.expectedState }
  if (pkce) {
    parameters.code_challenge = await oidc.calculatePKCECodeChallenge(checks.pkceCodeVerifier)
    parameters.code_challenge_method = 'S256'
  }
  if (sign) parameters = (await oidc.buildAuthorizationUrlWithJAR(config, parameters, signingKey(sign))).searchParams
  const build = push ? oidc.buildAuthorizationUrlWithPAR : oidc.buildAuthorizationUrl
  return { url: await build(config, parameters), checks }
}

async function visit(url) {
  say({ visit: url })
  return new URL(await nextLine())
}

async function signIn(config, job) {
  const { url, checks } = await begin(config, job)
  const tokens = await oidc.authorizationCodeGrant(config, await visit(url), checks)
  return { tokens, sent: [...url.searchParams.keys()].sort().join(' ') }
}

// live signs in, and uses the token, introspection and revocation endpoints.
async function live(config, job) {
  const { tokens: first, sent } = await signIn(config, job)
  const next = await oidc.refreshTokenGrant(config, first.refresh_token)
  const report = { sent, subject: next.claims().sub }
  report.email = (await oidc.fetchUserInfo(config, next.access_token, report.subject)).email
  if (job.public) {
    report.introspected = await refusal(oidc.tokenIntrospection(config, next.access_token))
  } else {
    const answers = await Promise.all([next.access_token, next.refresh_token].map(token => oidc.tokenIntrospection(config, token)))
    report.introspected = answers.map(({ active, sub }) => active && sub === report.subject).join(' ')
  }
  await oidc.tokenRevocation(config, next.refresh_token)
  report.revoked = await refusal(oidc.refreshTokenGrant(config, next.refresh_token))
  return report
}

const stories = {
  keys: publicKeys,

  // A client that an administrator has created.
  created: async job => {
    const proof = job.key ? proofBy(job.key) : job.secret ? oidc.ClientSecretBasic(job.secret) : oidc.None()
    const config = await oidc.discovery(issuer, job.client_id, undefined, proof, options)
    const report = await live(config, job)
    if (job.key) {
      const foreign = await oidc.discovery(issuer, job.client_id, undefined, oidc.PrivateKeyJwt((await generate(job.key)).privateKey), options)
      report.foreignKey = await refusal(job.push ? begin(foreign, job) : oidc.refreshTokenGrant(foreign, 'any'))
    }
    if (job.public && job.push) report.withoutPKCE = await refusal(begin(config, job, { pkce: false }))
    if (job.push) {
      const { url, checks } = await begin(config, { ...job, push: false })
      report.notPushed = await refusal(visit(url).then(back => oidc.authorizationCodeGrant(config, back, checks)))
    }
    return report
  },

  // A client that registers itself, signs in, changes its registration, signs in again and
  // deletes itself.
  registered: async job => {
    const metadata = { client_name: 'Before', redirect_uris: [job.redirect_uri], grant_types: ['authorization_code', 'refresh_token'], ...job.metadata }
    if (job.key || job.sign) metadata.jwks = await publicKeys()
    // Without token_endpoint_auth_method, a client with a secret uses Basic (RFC 7591, section 2). The
    // default of the library is the body.
    const isBasic = !job.key && !metadata.token_endpoint_auth_method
    const proof = job.key ? proofBy(job.key) : isBasic ? oidc.ClientSecretBasic() : undefined
    const config = await oidc.dynamicClientRegistration(issuer, metadata, proof, options)
    const { registration_client_uri, registration_access_token, client_id, client_secret } = config.clientMetadata()
    const manage = async (method, body) => {
      const response = await oidc.fetchProtectedResource(config, registration_access_token, new URL(registration_client_uri), method,
        body && JSON.stringify(body), new Headers(body && { 'content-type': 'application/json' }))
      return response.status === 204 ? response.status : response.json()
    }
    const report = await live(config, job)
    if (isBasic) {
      const other = await oidc.discovery(issuer, client_id, client_secret, undefined, options)
      report.otherMethod = await refusal(oidc.refreshTokenGrant(other, 'any'))
    }

    const read = await manage('GET')
    report.read = read.client_name
    // RFC 7592, section 2.2: a client sends back what it has read, without these members.
    const sentBack = Object.fromEntries(Object.entries(read).filter(([member]) =>
      !['registration_client_uri', 'registration_access_token', 'client_secret_expires_at', 'client_id_issued_at'].includes(member)))
    const moved = `${job.redirect_uri}/moved`
    const changed = await manage('PUT', { ...sentBack, client_name: 'After', redirect_uris: [moved], ...(client_secret && { client_secret }) })
    report.changed = changed.client_name
    report.lost = Object.keys(read).filter(member => !(member in changed)).join(' ')
    const { tokens } = await signIn(config, { ...job, redirect_uri: moved })
    report.movedSubject = tokens.claims().sub

    report.deleted = await manage('DELETE')
    report.afterwards = await refusal(oidc.refreshTokenGrant(config, tokens.refresh_token))
    report.gone = await manage('GET').then(() => 'no error', error => `${error.status} ${error.cause?.[0]?.parameters?.error}`)
    return report
  },
}

for (let line; (line = await nextLine());) {
  const job = JSON.parse(line)
  say(await stories[job.story](job).catch(error => ({ failed: `${error.code} ${error.error ?? ''} ${error.error_description ?? error.message} ${error.cause ?? ''}` })))
}

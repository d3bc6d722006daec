// Clients on oauth4webapi, which checks each answer strictly: one registers itself with a key, pushes
// and signs its requests and proves itself with assertions; the other is a device. Each line of standard input
// starts a story in JSON. When a story needs the browser, the program prints {"visit": URL}, and the
// next line is the URL at which the browser ended. Its last line is the report of the story.
//
//   node strictparty.mjs ISSUER
import { createInterface } from 'node:readline'
import * as oauth from 'oauth4webapi'

const insecure = { [oauth.allowInsecureRequests]: true } // http, on loopback
const issuer = new URL(process.argv[2])
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const nextLine = async () => (await lines.next()).value
const say = value => console.log(JSON.stringify(value))
const visit = async url => {
  say({ visit: url })
  return new URL(await nextLine())
}
const discover = async () => oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure))
// refusal returns the error of a promise that must fail. For a response with a challenge the library
// leaves the body to its caller.
const refusal = promise => promise.then(() => 'no error', async error => error.error ??
  (error instanceof oauth.WWWAuthenticateChallengeError ? (await error.response.json()).error : `${error.code}: ${error.message}`))

// tokensOf checks an answer of the token endpoint, including the signature of the ID token.
const tokensOf = async (as, client, process, response, options) => {
  const tokens = await process(as, client, response, options)
  if (tokens.id_token) await oauth.validateApplicationLevelSignature(as, response, insecure)
  return tokens
}

const stories = {
  // A client that registers itself and proves itself with its key everywhere.
  registered: async job => {
    const as = await discover()
    const { privateKey, publicKey } = await oauth.generateKeyPair('ES256')
    const key = { ...await crypto.subtle.exportKey('jwk', publicKey), kid: 'one', alg: 'ES256', use: 'sig' }
    const client = await oauth.processDynamicClientRegistrationResponse(await oauth.dynamicClientRegistrationRequest(as, {
      client_name: 'Strict', redirect_uris: [job.redirect_uri], grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'],
      token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: 'ES256', jwks: { keys: [key] },
      id_token_signed_response_alg: 'ES256', userinfo_signed_response_alg: 'ES256',
      request_object_signing_alg: 'ES256', require_pushed_authorization_requests: true,
    }, { initialAccessToken: job.token, ...insecure }))
    const proof = options => oauth.PrivateKeyJwt({ key: privateKey, kid: 'one' }, options)
    const push = async (parameters, by = proof()) => oauth.processPushedAuthorizationResponse(as, client,
      await oauth.pushedAuthorizationRequest(as, client, by, parameters, insecure))
    const start = pushed => `${as.authorization_endpoint}?${new URLSearchParams({ client_id: client.client_id, request_uri: pushed.request_uri })}`

    // begin makes the parameters of a sign-in, and finish checks its response and redeems the code.
    const begin = async (more = {}) => {
      const [verifier, state, nonce] = [oauth.generateRandomCodeVerifier(), oauth.generateRandomState(), oauth.generateRandomNonce()]
      return { verifier, state, nonce, parameters: {
        client_id: client.client_id, redirect_uri: job.redirect_uri, response_type: 'code', scope: 'openid email offline_access', state, nonce,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256', ...more,
      } }
    }
    const finish = async ({ verifier, state, nonce }, pushed) => tokensOf(as, client, oauth.processAuthorizationCodeResponse,
      await oauth.authorizationCodeGrantRequest(as, client, proof(),
        oauth.validateAuthResponse(as, client, await visit(start(pushed)), state), job.redirect_uri, verifier, insecure),
      { expectedNonce: nonce, requireIdToken: true })

    const report = {}
    const asked = await begin({ prompt: 'consent' })
    const { parameters } = asked
    const pushed = await push(parameters)
    report.life = pushed.expires_in
    const first = await finish(asked, pushed)
    const { sub } = oauth.getValidatedIdTokenClaims(first)
    report.subject = sub

    const signed = await oauth.userInfoRequest(as, client, first.access_token, insecure)
    report.signed = signed.headers.get('content-type')
    report.email = (await oauth.processUserInfoResponse(as, client, sub, signed)).email
    await oauth.validateApplicationLevelSignature(as, signed, insecure)

    const refresh = async (token, by = proof()) => tokensOf(as, client, oauth.processRefreshTokenResponse,
      await oauth.refreshTokenGrantRequest(as, client, by, token, insecure))
    const next = await refresh(first.refresh_token)
    const introspect = async token => oauth.processIntrospectionResponse(as, client,
      await oauth.introspectionRequest(as, client, proof(), token, insecure))
    report.active = (await introspect(next.access_token)).active

    // A signed request, in the way that the client is registered for.
    const again = await begin()
    const sign = key => oauth.issueRequestObject(as, client, again.parameters, { key, kid: 'one' })
    report.signedSubject = oauth.getValidatedIdTokenClaims(await finish(again, await push({ request: await sign(privateKey) }))).sub
    report.otherObject = await refusal(push({ request: await sign((await oauth.generateKeyPair('ES256')).privateKey) }))

    // The same assertion twice: its jti is spent.
    const same = proof({ [oauth.modifyAssertion]: (_, payload) => { payload.jti = 'the same' } })
    await push(parameters, same)
    report.again = await refusal(push(parameters, same))
    report.otherKey = await refusal(push(parameters, oauth.PrivateKeyJwt((await oauth.generateKeyPair('ES256')).privateKey)))
    const open = new URLSearchParams(parameters)
    report.notPushed = (await visit(`${as.authorization_endpoint}?${open}`)).searchParams.get('error')
    report.spent = (await visit(start(pushed))).href.startsWith(job.redirect_uri)

    await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, proof(), next.refresh_token, insecure))
    report.revoked = await refusal(refresh(next.refresh_token))
    report.dead = (await introspect(next.access_token)).active
    return report
  },

  // A device without a browser.
  device: async job => {
    const as = await discover()
    const client = { client_id: job.client_id, id_token_signed_response_alg: 'RS256' }
    const waiting = await oauth.processDeviceAuthorizationResponse(as, client,
      await oauth.deviceAuthorizationRequest(as, client, oauth.None(), { scope: 'openid offline_access' }, insecure))
    await visit(waiting.verification_uri_complete)
    const poll = async () => tokensOf(as, client, oauth.processDeviceCodeResponse,
      await oauth.deviceCodeGrantRequest(as, client, oauth.None(), waiting.device_code, insecure))
    const tokens = await poll()
    return {
      subject: oauth.getValidatedIdTokenClaims(tokens).sub, life: waiting.expires_in, interval: waiting.interval,
      refreshable: typeof tokens.refresh_token === 'string', again: await refusal(poll()),
    }
  },
}

for (let line; (line = await nextLine());) {
  const job = JSON.parse(line)
  say(await stories[job.story](job).catch(error => ({ failed: `${error.code} ${error.error ?? ''} ${error.error_description ?? error.message} ${error.cause ?? ''}` })))
}

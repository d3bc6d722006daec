// A relying party on oauth4webapi. The caller of this library takes every step, and the library
// checks each answer strictly. The steps are sign-in, userinfo, the check of the access token
// by an API, refresh, introspection, client_credentials, sign-out and revocation.
import { createServer } from 'node:http'
import * as oauth from 'oauth4webapi'
import { open, run, signIn } from './browser.mjs'

const insecure = { [oauth.allowInsecureRequests]: true } // http, on loopback

run(async (browser, job) => {
  const { page, complaints } = await open(browser)
  const issuer = new URL(job.issuer)
  const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure))
  const client = { client_id: job.client_id, id_token_signed_response_alg: 'RS256' }
  const asClient = oauth.ClientSecretBasic(job.client_secret)

  // The pages of the client have no content: the test reads their URLs.
  const server = createServer((_, response) => response.end('back')).listen(job.port, '127.0.0.1')
  const backAt = async uri => {
    await page.waitForURL(url => url.href.startsWith(`${uri}?`))
    return new URL(page.url())
  }

  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const nonce = oauth.generateRandomNonce()
  await page.goto(`${as.authorization_endpoint}?${new URLSearchParams({
    client_id: job.client_id, redirect_uri: job.redirect_uri, response_type: 'code', scope: 'openid email offline_access', state, nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256', prompt: 'consent',
  })}`)
  await signIn(page, job)
  await page.locator('#allow').click()
  const answer = oauth.validateAuthResponse(as, client, await backAt(job.redirect_uri), state)

  // tokensOf checks an answer of the token endpoint, including the signature of the ID token.
  const tokensOf = async (process, response, ...options) => {
    const tokens = await process(as, client, response, ...options)
    if (tokens.id_token) await oauth.validateApplicationLevelSignature(as, response, insecure)
    return tokens
  }
  const userInfo = async (token, subject) => oauth.processUserInfoResponse(as, client, subject,
    await oauth.userInfoRequest(as, client, token, insecure))
  const introspect = async token => oauth.processIntrospectionResponse(as, client,
    await oauth.introspectionRequest(as, client, asClient, token, insecure))
  const refresh = async token => tokensOf(oauth.processRefreshTokenResponse,
    await oauth.refreshTokenGrantRequest(as, client, asClient, token, insecure))
  const report = {}

  const first = await tokensOf(oauth.processAuthorizationCodeResponse,
    await oauth.authorizationCodeGrantRequest(as, client, asClient, answer, job.redirect_uri, verifier, insecure),
    { expectedNonce: nonce, requireIdToken: true })
  const { sub } = report.claims = oauth.getValidatedIdTokenClaims(first)
  report.userinfo = await userInfo(first.access_token, sub)
  // RFC 9068, section 4: check the access token like a resource server.
  report.access = await oauth.validateJwtAccessToken(as, new Request('http://127.0.0.1/', {
    headers: { authorization: `Bearer ${first.access_token}` },
  }), job.issuer, insecure)

  const second = await refresh(first.refresh_token)
  report.refreshed = oauth.getValidatedIdTokenClaims(second)
  report.rotated = second.refresh_token !== first.refresh_token
  report.introspected = [first.refresh_token, second.refresh_token, second.access_token]
  report.introspected = await Promise.all(report.introspected.map(introspect))

  const own = await oauth.processClientCredentialsResponse(as, client,
    await oauth.clientCredentialsGrantRequest(as, client, asClient, { scope: 'photos:read' }, insecure))
  report.own = await introspect(own.access_token)

  // Sign out. Offline access stays valid until the refresh token is revoked.
  await page.goto(`${as.end_session_endpoint}?${new URLSearchParams({
    id_token_hint: second.id_token, post_logout_redirect_uri: job.bye, state,
  })}`)
  report.signedOut = (await backAt(job.bye)).searchParams.get('state') === state
  const third = await refresh(second.refresh_token)
  report.offline = await userInfo(third.access_token, sub)
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, asClient, third.refresh_token, insecure))
  report.revoked = await refresh(third.refresh_token).catch(error => error.error ?? String(error))
  report.dead = await introspect(third.access_token)

  server.close()
  report.complaints = complaints
  return report
})

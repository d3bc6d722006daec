// A relying party on openid-client: a small web server that sends the browser to the provider,
// receives the answer at /callback, makes every check that the library offers, and shows the
// result.
import { createServer } from 'node:http'
import { once } from 'node:events'
import * as oidc from 'openid-client'
import { open, run, signIn } from './browser.mjs'

run(async (browser, job) => {
  const config = await oidc.discovery(new URL(job.issuer), job.client_id,
    { id_token_signed_response_alg: job.id_token_alg },
    job.client_secret ? oidc.ClientSecretBasic(job.client_secret) : oidc.None(),
    // allowInsecureRequests: the issuer is http on loopback. enableNonRepudiationChecks: without
    // it the library trusts the connection and does not check the signature of the ID token.
    { execute: [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks] })
  const party = await listen(config, job)
  const { page, complaints } = await open(browser)
  const visit = async (parameters = {}) => {
    await page.goto(`${party.origin}/?${new URLSearchParams(parameters)}`)
  }
  const answer = async () => {
    await page.waitForURL(url => url.href.startsWith(`${party.origin}/callback`))
    return JSON.parse(await page.locator('body').textContent())
  }
  const report = {}

  // Nobody is signed in: prompt=none gets an answer without a page.
  await visit({ prompt: 'none' })
  report.nobody = await answer()

  await visit()
  await signIn(page, job)
  await page.locator('#deny').click()
  report.denied = await answer()

  // The person is signed in now; only the consent is missing.
  await visit()
  await page.locator('#allow').click()
  report.allowed = await answer()

  await visit({ prompt: 'none' })
  report.silent = await answer()

  await visit({ prompt: 'login', login_hint: job.email })
  report.hinted = await page.locator('#username').inputValue()
  await signIn(page, job)
  report.again = await answer()
  report.refreshed = await party.refresh()
  report.introspected = await party.introspect()
  report.revoked = await party.revoke()

  // Sign out: the provider does not ask, because the hint is from the session of this browser.
  await page.goto(party.signOut().href)
  await page.waitForURL(url => url.href.startsWith(`${party.origin}/bye`))
  report.signedOut = page.url().replace(party.origin, '')
  await visit({ prompt: 'none' })
  report.gone = await answer()

  report.complaints = complaints
  party.close()
  return report
})

// listen starts the relying party. The variables pending and tokens hold its state, because there
// is only one browser.
async function listen(config, job) {
  const redirectURI = `http://127.0.0.1:${job.port}/callback`
  let pending, tokens
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, redirectURI)
    if (url.pathname === '/') {
      pending = { verifier: oidc.randomPKCECodeVerifier(), state: oidc.randomState(), nonce: oidc.randomNonce() }
      const target = oidc.buildAuthorizationUrl(config, {
        redirect_uri: redirectURI,
        scope: 'openid profile email',
        code_challenge: await oidc.calculatePKCECodeChallenge(pending.verifier),
        code_challenge_method: 'S256',
        state: pending.state,
        nonce: pending.nonce,
        ...Object.fromEntries(url.searchParams),
      })
      response.writeHead(302, { location: target.href }).end()
    } else if (url.pathname === '/callback') {
      response.setHeader('content-type', 'text/plain')
      tokens = await redeem(config, url, pending)
      response.end(JSON.stringify(await describe(config, tokens)))
    } else if (url.pathname === '/bye') {
      response.end('Until next time.')
    } else {
      response.writeHead(204).end()
    }
  })
  server.listen(job.port, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${job.port}`,
    close: () => server.close(),
    refresh: async () => {
      const next = await oidc.refreshTokenGrant(config, tokens.refresh_token)
      const rotated = next.refresh_token !== tokens.refresh_token
      tokens = next
      return { ...await describe(config, next), rotated }
    },
    introspect: async () => ({
      access: await orError(oidc.tokenIntrospection(config, tokens.access_token)),
      refresh: await orError(oidc.tokenIntrospection(config, tokens.refresh_token)),
    }),
    // First revoke the access token, which does not end the grant, then the refresh token, which
    // ends the grant and all its tokens.
    revoke: async () => {
      await oidc.tokenRevocation(config, tokens.access_token)
      const access = await orError(oidc.fetchUserInfo(config, tokens.access_token, oidc.skipSubjectCheck))
      const next = await oidc.refreshTokenGrant(config, tokens.refresh_token)
      const alive = await orError(oidc.fetchUserInfo(config, next.access_token, oidc.skipSubjectCheck))
      await oidc.tokenRevocation(config, next.refresh_token)
      return {
        access, alive,
        refresh: await orError(oidc.refreshTokenGrant(config, next.refresh_token)),
        grant: await orError(oidc.fetchUserInfo(config, next.access_token, oidc.skipSubjectCheck)),
      }
    },
    signOut: () => oidc.buildEndSessionUrl(config, {
      id_token_hint: tokens.id_token, post_logout_redirect_uri: `http://127.0.0.1:${job.port}/bye`, state: 'a state',
    }),
  }
}

// redeem exchanges the code of an answer for tokens, which the library verifies. It returns the
// error if the library reports one.
async function redeem(config, url, pending) {
  try {
    return await oidc.authorizationCodeGrant(config, url, {
      pkceCodeVerifier: pending.verifier,
      expectedState: pending.state,
      expectedNonce: pending.nonce,
      idTokenExpected: true,
    })
  } catch (error) {
    return error
  }
}

// orError returns the answer, or a description of the error from the library.
const orError = answer => answer.catch(failure)

// failure describes an error. An error in a WWW-Authenticate header is in the challenges
// (RFC 6750, section 3).
function failure(error) {
  const challenged = Array.isArray(error.cause) ? error.cause[0]?.parameters?.error : undefined
  return { error: error.error ?? challenged ?? `${error.code ?? error.name}: ${error.message}`, cause: JSON.stringify(error.cause ?? '') }
}

async function describe(config, tokens) {
  if (tokens instanceof Error) return failure(tokens)
  const claims = tokens.claims()
  return {
    claims,
    userinfo: await oidc.fetchUserInfo(config, tokens.access_token, claims.sub),
    token_type: tokens.token_type,
    expires_in: tokens.expires_in,
    alg: JSON.parse(Buffer.from(tokens.id_token.split('.')[0], 'base64url')).alg,
  }
}

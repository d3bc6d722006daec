// A relying party built on openid-client: a small web server that sends the
// browser to the provider, takes the answer at /callback, checks everything the
// library can check and shows what it got.
import { createServer } from 'node:http'
import { once } from 'node:events'
import * as oidc from 'openid-client'
import { open, run, signIn } from './browser.mjs'

run(async (browser, job) => {
  const config = await oidc.discovery(new URL(job.issuer), job.client_id,
    { id_token_signed_response_alg: job.id_token_alg },
    job.client_secret ? oidc.ClientSecretBasic(job.client_secret) : oidc.None(),
    // The issuer is http on loopback. Without the second line the library trusts
    // the connection and leaves the ID token's signature alone.
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

  // Nobody is signed in: prompt=none is answered without a page.
  await visit({ prompt: 'none' })
  report.nobody = await answer()

  await visit()
  await signIn(page, job)
  await page.locator('#deny').click()
  report.denied = await answer()

  // The session stands now; only the consent is missing.
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

  // Out: the provider asks nothing, since the hint is of this browser's session.
  await page.goto(party.signOut().href)
  await page.waitForURL(url => url.href.startsWith(`${party.origin}/bye`))
  report.signedOut = page.url().replace(party.origin, '')
  await visit({ prompt: 'none' })
  report.gone = await answer()

  report.complaints = complaints
  party.close()
  return report
})

// listen starts the relying party. Its state between the two requests is a map
// here, since there is one browser.
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
    // First the access token, whose grant lives on, then the refresh token, which
    // takes everything along.
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

// redeem exchanges the code of an answer for tokens, which the library verifies.
// What it refuses comes back as an error.
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

// orError gives what was answered, or the error that the library made of it.
const orError = answer => answer.catch(failure)

// A refusal by a header has its error in the challenges (RFC 6750, section 3).
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

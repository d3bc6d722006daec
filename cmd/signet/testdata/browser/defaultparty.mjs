// A relying party on openid-client with its defaults. Its only settings are the issuer for
// discovery, the client ID and the client secret.
//
//   node defaultparty.mjs ISSUER CLIENT_ID CLIENT_SECRET PORT
import * as oidc from 'openid-client'
import { site } from './site.mjs'

const [issuer, clientID, secret, port] = process.argv.slice(2)
const config = await oidc.discovery(new URL(issuer), clientID, secret, undefined,
  { execute: [oidc.allowInsecureRequests] }) // the issuer is http on loopback

const origin = await site(port, {
  '/login': async session => {
    session.verifier = oidc.randomPKCECodeVerifier()
    session.state = oidc.randomState()
    return oidc.buildAuthorizationUrl(config, {
      redirect_uri: `${origin}/callback`, scope: 'openid email', state: session.state,
      code_challenge: await oidc.calculatePKCECodeChallenge(session.verifier), code_challenge_method: 'S256',
    })
  },
  '/callback': async (session, url) => {
    session.tokens = await oidc.authorizationCodeGrant(config, url, { pkceCodeVerifier: session.verifier, expectedState: session.state })
    session.sub = session.tokens.claims().sub
    return new URL('/me', origin)
  },
  '/me': async ({ tokens, sub }) => {
    if (!tokens) return { error: 'nobody is signed in' }
    const { email } = await oidc.fetchUserInfo(config, tokens.access_token, sub)
    return { email }
  },
  '/refresh': async session => {
    const before = session.tokens.refresh_token
    session.tokens = await oidc.refreshTokenGrant(config, before)
    return { rotated: session.tokens.refresh_token !== before }
  },
  '/logout': async session => {
    const { id_token } = session.tokens
    delete session.tokens
    return oidc.buildEndSessionUrl(config, { id_token_hint: id_token, post_logout_redirect_uri: `${origin}/bye` })
  },
  '/bye': async () => ({ said: 'Until next time.' }),
})

// A relying party on express-openid-connect with its defaults: response_type=id_token and
// response_mode=form_post. It keeps no token but the ID token.
//
//   node expressparty.mjs ISSUER CLIENT_ID CLIENT_SECRET PORT
import express from 'express'
import openid from 'express-openid-connect'

const [issuer, clientID, , port] = process.argv.slice(2)
const app = express()
app.use(openid.auth({
  issuerBaseURL: issuer, baseURL: `http://127.0.0.1:${port}`, clientID, secret: 'it signs the cookies of this test alone',
  authRequired: false, idpLogout: true, routes: { postLogoutRedirect: '/bye' },
}))
app.get('/', (_, response) => response.redirect('/me'))
app.get('/me', ({ oidc }, response) => {
  if (!oidc.isAuthenticated()) return response.status(401).json({ error: 'nobody is signed in' })
  response.json({ sub: oidc.user.sub, email: oidc.user.email })
})
app.get('/bye', (_, response) => response.json({ said: 'Until next time.' }))
app.use((error, _request, response, _next) => response.status(500).json({ error: error.message }))
app.listen(Number(port), '127.0.0.1')

// A relying party on passport-openidconnect with its defaults.
//
//   node passportparty.mjs ISSUER CLIENT_ID CLIENT_SECRET PORT
import { createServer } from 'node:http'
import expressSession from 'express-session'
import passport from 'passport'
import { Strategy } from 'passport-openidconnect'

const [issuer, clientID, clientSecret, port] = process.argv.slice(2)
const origin = `http://127.0.0.1:${port}`

passport.use(new Strategy({
  issuer, clientID, clientSecret,
  authorizationURL: `${issuer}/authorize`, tokenURL: `${issuer}/token`, userInfoURL: `${issuer}/userinfo`,
  callbackURL: `${origin}/callback`,
}, (_, profile, done) => done(null, { sub: profile.id })))
passport.serializeUser((user, done) => done(null, user))
passport.deserializeUser((user, done) => done(null, user))

const signIn = passport.authenticate('openidconnect')
const pages = {
  '/login': [signIn],
  '/callback': [signIn, (request, response) => response.writeHead(302, { location: '/me' }).end()],
  '/me': [(request, response) => answer(response, request.user ? 200 : 401, request.user ?? { error: 'nobody is signed in' })],
  '/bye': [(request, response) => answer(response, 200, { said: 'Until next time.' })],
}
const before = [expressSession({ secret: 'a secret for this test alone', resave: false, saveUninitialized: false }), passport.session()]

function answer(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

createServer((request, response) => {
  const url = new URL(request.url, origin)
  request.query = Object.fromEntries(url.searchParams)
  const steps = [...before, ...(pages[url.pathname] ?? [])]
  const next = error => {
    if (error) {
      console.error(error)
      return answer(response, 500, { error: error.message, cause: String(error.oauthError?.data ?? '') })
    }
    const step = steps.shift()
    step ? step(request, response, next) : answer(response, 404, { error: 'no such page' })
  }
  next()
}).listen(Number(port), '127.0.0.1')

// The same check in Node, with jose: `node api/verify.mjs` answers /api/me on port 3000.
import { createServer } from 'node:http'
import { createRemoteJWKSet, jwtVerify } from 'jose'

const { ISSUER: issuer = 'http://localhost:5173/auth', AUDIENCE: audience = 'app', LISTEN: listen = 'localhost:3000' } = process.env
const cookieName = issuer.startsWith('http://') ? 'access_token' : '__Host-access_token'
const keys = createRemoteJWKSet(new URL(issuer + '/jwks'))

/** Who has made the request; throws if nobody is signed in. */
async function subjectOf(request) {
  const tokens = (request.headers.cookie ?? '').split(/; */).filter(pair => pair.startsWith(cookieName + '='))
  if (tokens.length !== 1) throw new Error('no access token') // two: one of them was planted
  const { payload } = await jwtVerify(tokens[0].slice(cookieName.length + 1), keys, {
    issuer, audience, algorithms: ['ES256'], typ: 'at+jwt', requiredClaims: ['exp', 'sub'],
  })
  return payload.sub
}

const [host, port] = listen.split(':')
createServer(async (request, response) => {
  const sub = await subjectOf(request).catch(() => undefined)
  response.writeHead(sub ? 200 : 401, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
  response.end(JSON.stringify(sub ? { sub } : { error: 'login_required' }))
}).listen(Number(port), host, () => console.log('listening'))

// The same check in Node, with jose: `node api/verify.mjs` answers /api/me on port 3000.
import { createServer } from 'node:http'
import { createRemoteJWKSet, errors, jwtVerify } from 'jose'

const { ISSUER: issuer = 'http://localhost:5173/auth', AUDIENCE: audience = 'app', LISTEN: listen = 'localhost:3000' } = process.env
const cookieName = issuer.startsWith('http://') ? 'access_token' : '__Host-access_token'
const published = createRemoteJWKSet(new URL(issuer + '/jwks'))

class Unreadable extends Error {}

/** Returns the key of a token. Throws Unreadable if the keys cannot be read: the token may be valid then. */
async function keyOf(header, token) {
  try {
    return await published(header, token)
  } catch (cause) {
    if (cause instanceof errors.JWKSNoMatchingKey || cause instanceof errors.JWKSMultipleMatchingKeys) throw cause
    throw new Unreadable('the keys of Signet cannot be read', { cause })
  }
}

/** Returns the subject of the request's access token. Throws if there is no valid one, and Unreadable if the keys cannot be read. */
async function subjectOf(request) {
  const tokens = (request.headers.cookie ?? '').split(/; */).filter(pair => pair.startsWith(cookieName + '='))
  if (tokens.length !== 1) throw new Error('no access token') // with two cookies, another site has set one of them
  const { payload } = await jwtVerify(tokens[0].slice(cookieName.length + 1), keyOf, {
    issuer, audience, algorithms: ['ES256'], typ: 'at+jwt', requiredClaims: ['exp', 'sub'],
  })
  return payload.sub
}

const [host, port] = listen.split(':')
createServer(async (request, response) => {
  const answer = (status, body, more) => {
    response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...more })
    response.end(JSON.stringify(body))
  }
  try {
    answer(200, { sub: await subjectOf(request) })
  } catch (error) {
    if (!(error instanceof Unreadable)) return answer(401, { error: 'login_required' })
    console.error(error) // a 401 would say that the person is not signed in
    answer(503, { error: 'temporarily_unavailable' }, { 'Retry-After': '5' })
  }
}).listen(Number(port), host, () => console.log('listening'))

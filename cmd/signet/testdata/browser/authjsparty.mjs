// A relying party on Auth.js with its defaults.
//
//   node authjsparty.mjs ISSUER CLIENT_ID CLIENT_SECRET PORT
import { createServer } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { Auth } from '@auth/core'

const [issuer, clientId, clientSecret, port] = process.argv.slice(2)
const origin = `http://127.0.0.1:${port}`
const config = {
  providers: [{ id: 'signet', name: 'Signet', type: 'oidc', issuer, clientId, clientSecret }],
  secret: 'a secret for this test alone', trustHost: true, basePath: '/auth',
  callbacks: {
    // By default the session has only the name and email address. Add the subject, which every
    // ID token has.
    jwt: ({ token, profile }) => profile ? { ...token, subject: profile.sub } : token,
    session: ({ session, token }) => ({ ...session, subject: token.subject }),
  },
}

const json = (status, body, headers = {}) => new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...headers } })
const ask = (path, request) => Auth(new Request(origin + path, { headers: { cookie: request.headers.get('cookie') ?? '' } }), config)

const pages = {
  '/login': async request => {
    const answer = await ask('/auth/csrf', request)
    const { csrfToken } = await answer.json()
    return new Response(`<form id="begin" method="post" action="/auth/signin/signet">
      <input name="csrfToken" value="${csrfToken}"><input name="callbackUrl" value="${origin}/me"></form>`,
    { headers: { 'content-type': 'text/html', 'set-cookie': answer.headers.get('set-cookie') } })
  },
  '/me': async request => {
    const session = await (await ask('/auth/session', request)).json()
    return session ? json(200, { sub: session.subject }) : json(401, { error: 'nobody is signed in' })
  },
}

createServer(async (request, response) => {
  const { pathname } = new URL(request.url, origin)
  const body = request.method === 'POST' ? await buffer(request) : undefined
  const asked = new Request(new URL(request.url, origin), { method: request.method, headers: request.headers, body })
  const page = pages[pathname] ?? (pathname.startsWith('/auth/') ? () => Auth(asked, config) : () => json(404, { error: 'no such page' }))
  const answer = await page(asked)
  response.statusCode = answer.status
  for (const [name, value] of answer.headers) if (name !== 'set-cookie') response.setHeader(name, value)
  if (answer.headers.has('set-cookie')) response.setHeader('set-cookie', answer.headers.getSetCookie())
  response.end(Buffer.from(await answer.arrayBuffer()))
}).listen(Number(port), '127.0.0.1')

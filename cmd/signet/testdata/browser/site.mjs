// The site of a relying party in Node: its pages by path, and the sessions of its visitors. Each
// page is a function of (session, url, request) that returns JSON, or a URL for a redirect.
// parties_test.go documents the pages of such a site.
import { createServer } from 'node:http'
import { once } from 'node:events'
import { randomUUID } from 'node:crypto'

// site serves the pages. It returns the origin when it listens.
export async function site(port, pages) {
  const origin = `http://127.0.0.1:${port}`
  const sessions = new Map()
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, origin)
    let id = /(?:^|; )party=([^;]+)/.exec(request.headers.cookie ?? '')?.[1]
    if (!sessions.has(id)) {
      id = randomUUID()
      sessions.set(id, {})
      response.setHeader('set-cookie', `party=${id}; Path=/; HttpOnly`)
    }
    try {
      const page = pages[url.pathname]
      const answer = page ? await page(sessions.get(id), url, request) : { error: 'no such page' }
      if (answer instanceof URL) response.writeHead(302, { location: answer.href }).end()
      else response.writeHead(answer.error ? 401 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
    } catch (error) {
      console.error(error)
      response.writeHead(500, { 'content-type': 'application/json' })
        .end(JSON.stringify({ error: error.message, cause: String(error.cause ?? '') }))
    }
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return origin
}

// A small Signet: the first-party endpoints of the contract, an API that requires the
// access token, and the pages of an app, over real HTTP with real cookies.
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export const alice = { sub: 'usr_alice', email: 'alice@example.com', name: 'Alice', roles: ['editor'] }
export const bob = { sub: 'usr_bob', email: 'bob@example.com', name: 'Bob', roles: ['reader'] }

/** 'lost' performs the call and sends no answer. */
type Fault = 'cut' | 'cut in the body' | 'hang' | 'lost' | { status: number; error: string; retryAfter?: string; continue?: string } | { status: number; html: string; server?: string }

interface Row { user: typeof alice; began: number; expires: number; generation: number; oldest: number } // oldest: the lowest generation of a valid token

export class Signet {
  life = 900_000 // of an access token, in milliseconds
  ahead = 0 // milliseconds by which Signet's clock is ahead of the machine's
  next = alice // the next person to sign in
  faults: Record<string, Fault> = {} // path → how it fails
  asked: Record<string, string> = {} // the other members of the last sign-in
  slow = 0 // milliseconds before an answer
  gate: Promise<unknown> | undefined // /refresh answers after it
  html = '' // the page as the server rendered it
  config: Record<string, unknown> = {} // props of the provider
  calls: { method: string; path: string; headers: IncomingMessage['headers']; body: string }[] = []
  private rows = new Map<string, Row>()

  private constructor(readonly base: string, private script: string, private server: Server, private origins: string[]) {}

  /** Starts a server with its paths below base, which also allows the given other origins. */
  static async start(script: string, base = '/auth', origins: string[] = []): Promise<Signet> {
    const server = createServer((q, r) => void signet.serve(q, r))
    const signet = new Signet(base, script, server, origins)
    await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
    return signet
  }

  get origin() { return `http://localhost:${(this.server.address() as AddressInfo).port}` }
  get now() { return Date.now() + this.ahead }

  allow(origin: string) { this.origins.push(origin) }

  stop() {
    this.server.closeAllConnections()
    return new Promise(done => this.server.close(done))
  }

  /**
   * The access tokens that are out are good no longer. No token expires in the second
   * in which it was issued, and times are told in seconds: so it is later now.
   */
  expireAccess() {
    this.ahead += 1_000
    for (const row of this.rows.values()) [row.expires, row.oldest] = [this.now - 1, row.generation + 1]
  }

  endSessions() { this.rows.clear() }

  count(path: string, method = '') { return this.calls.filter(c => c.path === path && c.method.startsWith(method)).length }

  private async serve(q: IncomingMessage, r: ServerResponse) {
    let body = ''
    for await (const part of q) body += part
    const url = new URL(q.url!, this.origin)
    if (q.method !== 'OPTIONS') this.calls.push({ method: q.method!, path: url.pathname, headers: q.headers, body })
    if (this.slow) await new Promise(done => setTimeout(done, this.slow))
    r.setHeader('Date', new Date(this.now).toUTCString())
    r.setHeader('Cache-Control', 'no-store')
    this.cors(q, r)
    const path = url.pathname.startsWith(this.base + '/') ? url.pathname.slice(this.base.length) : url.pathname
    const fault = this.faults[path]
    if (fault === 'hang') return
    if (fault === 'cut') return void q.socket.destroy()
    if (fault === 'cut in the body') return void r.writeHead(200, { 'Content-Length': 99 }).write('{', () => q.socket.destroy())
    if (q.method === 'OPTIONS') return void r.writeHead(204).end()
    if (fault && fault !== 'lost') {
      if ('html' in fault) {
        if (fault.server) r.setHeader('Server', fault.server)
        return void r.writeHead(fault.status, { 'Content-Type': 'text/html' }).end(fault.html)
      }
      if (fault.retryAfter) r.setHeader('Retry-After', fault.retryAfter)
      return this.json(r, fault.status, { error: fault.error, error_description: 'as the test wants it', continue: fault.continue })
    }
    switch (`${q.method} ${path}`) {
      case 'GET /login': return this.login(r, url)
      case 'POST /login': return this.password(q, r, body)
      case 'GET /session': return this.session(q, r)
      case 'POST /refresh': return this.refresh(q, r)
      case 'POST /logout': return this.logout(q, r)
      case 'GET /elsewhere': return void r.writeHead(200, { 'Content-Type': 'text/html' }).end('<title>elsewhere</title>')
      case 'GET /app.js': return void r.writeHead(200, { 'Content-Type': 'text/javascript' }).end(this.script)
    }
    if (path === '/api') return this.api(q, r, body)
    r.writeHead(200, { 'Content-Type': 'text/html', 'Cache-Control': 'no-cache' }).end(
      `<!doctype html><title>app</title><div id="root">${this.html}</div>` +
      `<script>window.config = ${JSON.stringify(this.config)}</script><script type="module" src="/app.js"></script>`)
  }

  private cors(q: IncomingMessage, r: ServerResponse) {
    const origin = q.headers.origin ?? ''
    if (!this.origins.includes(origin)) return
    r.setHeader('Access-Control-Allow-Origin', origin)
    r.setHeader('Access-Control-Allow-Credentials', 'true')
    r.setHeader('Access-Control-Allow-Headers', 'Content-Type, X-CSRF')
    r.setHeader('Access-Control-Expose-Headers', 'Retry-After')
  }

  private login(r: ServerResponse, url: URL) {
    this.asked = Object.fromEntries(url.searchParams)
    r.writeHead(303, { Location: url.searchParams.get('return_to')!, 'Set-Cookie': this.enter() }).end()
  }

  private password(q: IncomingMessage, r: ServerResponse, body: string) {
    if (!this.fromApp(q)) return this.json(r, 403, { error: 'cross_origin' })
    const { username, password, ...more } = JSON.parse(body)
    this.asked = more
    if (username !== this.next.email || password !== 'right') return this.json(r, 401, { error: 'invalid_credentials', error_description: 'not right' })
    r.setHeader('Set-Cookie', this.enter())
    this.json(r, 200, { user: this.next, expires_at: rfc3339(this.now + this.life) })
  }

  private enter() {
    const id = randomUUID()
    this.rows.set(id, { user: this.next, began: this.now, expires: this.now + this.life, generation: 0, oldest: 0 })
    return [`signet=${id}; Path=/; HttpOnly; SameSite=Lax`, this.access(id)]
  }

  private access(id: string) {
    return `access_token=${id}.${this.rows.get(id)?.generation}; Path=/; HttpOnly; SameSite=Lax`
  }

  private cookie(q: IncomingMessage, name: string) {
    return q.headers.cookie?.split('; ').find(c => c.startsWith(name + '='))?.slice(name.length + 1) ?? ''
  }

  private row(q: IncomingMessage) { return this.rows.get(this.cookie(q, 'signet')) }

  private session(q: IncomingMessage, r: ServerResponse) {
    const row = this.row(q)
    if (!row) return this.json(r, 200, { authenticated: false })
    this.json(r, 200, { authenticated: true, user: row.user, expires_at: rfc3339(row.expires), auth_time: rfc3339(row.began), amr: ['pwd'] })
  }

  private async refresh(q: IncomingMessage, r: ServerResponse) {
    await this.gate
    if (!this.fromApp(q)) return this.json(r, 403, { error: 'cross_origin' })
    const row = this.row(q)
    if (!row) return this.json(r, 401, { error: 'login_required', error_description: 'nobody is signed in' })
    row.generation++
    row.expires = this.now + this.life
    if (this.faults['/refresh'] === 'lost') return
    r.setHeader('Set-Cookie', this.access(this.cookie(q, 'signet')))
    this.json(r, 200, { expires_at: rfc3339(row.expires) })
  }

  private logout(q: IncomingMessage, r: ServerResponse) {
    if (!this.fromApp(q)) return this.json(r, 403, { error: 'cross_origin' })
    this.rows.delete(this.cookie(q, 'signet'))
    r.writeHead(204, { 'Set-Cookie': ['signet=; Path=/; Max-Age=0', 'access_token=; Path=/; Max-Age=0'] }).end()
  }

  private fromApp(q: IncomingMessage) {
    return q.headers['content-type'] === 'application/json' && q.headers['x-csrf'] === '1' &&
      [this.origin, ...this.origins].includes(q.headers.origin ?? '')
  }

  private api(q: IncomingMessage, r: ServerResponse, body: string) {
    const [id = '', generation] = this.cookie(q, 'access_token').split('.')
    const row = this.rows.get(id)
    if (!row || Number(generation) < row.oldest || row.expires <= this.now) return this.json(r, 401, { error: 'invalid_token' })
    this.json(r, 200, { sub: row.user.sub, method: q.method, csrf: q.headers['x-csrf'], type: q.headers['content-type'], body })
  }

  private json(r: ServerResponse, status: number, body: unknown) {
    r.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
  }
}

const rfc3339 = (ms: number) => new Date(Math.floor(ms / 1000) * 1000).toISOString().replace('.000', '')

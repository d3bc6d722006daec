import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { renderToString } from 'react-dom/server'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { getSession } from '@signet/react/server'
import { bundle, callApi, launch, setVisible, shows, tab, text } from './browser.js'
import { App } from './page.js'
import { alice, bob, Signet } from './signet.js'

let script: string
let browser: Browser
let signet: Signet
let context: BrowserContext

beforeAll(async () => {
  script = await bundle(fileURLToPath(new URL('app.tsx', import.meta.url)))
  browser = await launch()
})
afterAll(() => browser.close())
beforeEach(async () => {
  signet = await Signet.start(script)
  context = await browser.newContext()
})
afterEach(async () => {
  await context.close()
  await signet.stop()
})

const seen = (page: Page) => page.evaluate(() => window.seen)
const session = () => signet.count('/auth/session')
const refreshes = () => signet.count('/auth/refresh')

/** A tab of a person that has just signed in at Signet. */
async function signedIn(where = context): Promise<Page> {
  await where.request.get(signet.origin + '/auth/login?return_to=/')
  return tab(where, signet, 'in')
}

/** Returns how many tabs wait for the lock. */
const waiting = (page: Page) => page.evaluate(() => navigator.locks.query().then(q => q.pending!.length))

/** Lets tests move the clock. Calls under way do not time out when it moves. */
async function moveClock() {
  await context.clock.install()
  await context.addInitScript(() => { AbortSignal.timeout = () => new AbortController().signal })
}

describe('who is signed in', () => {
  test('is read once, also in StrictMode, and selects SignedIn or SignedOut', async () => {
    const page = await tab(context, signet, 'out')
    expect(await text(page, '#nobody')).toBe('signed out')
    expect(await text(page, '#name')).toBeUndefined()
    expect((await seen(page))[0]).toBe('loading')
    expect(session()).toBe(1)
    const other = await signedIn()
    expect(await text(other, '#name')).toBe('Alice')
    expect(await text(other, '#nobody')).toBeUndefined()
  })

  test('renews expired cookies before it shows the session', async () => {
    await context.request.get(signet.origin + '/auth/login?return_to=/')
    signet.expireAccess()
    const page = await tab(context, signet, 'in')
    expect([session(), refreshes()]).toEqual([1, 1])
    expect(await callApi(page)).toEqual(['200'])
    expect(refreshes()).toBe(1)
  })

  test('signs in on the page of Signet and returns to the same address', async () => {
    const page = await tab(context, signet, 'out')
    await page.evaluate(() => history.replaceState(null, '', '/notes?of=May#2'))
    await page.evaluate(() => window.signet.signIn())
    await shows(page, 'in')
    expect(page.url()).toBe(signet.origin + '/notes?of=May#2')
    expect(await page.evaluate(() => document.cookie)).toBe('') // no script can read a cookie
  })

  test('returns to this origin only, and to its front page if the address is too long', async () => {
    const page = await tab(context, signet, 'out')
    const refused = await page.evaluate(() => {
      try { window.signet.signIn({ returnTo: '//evil.example/' }) } catch (e) { return String(e) }
    })
    expect(refused).toMatch(/^TypeError: returnTo must be on http:\/\/localhost:/)
    await page.evaluate(() => window.signet.signIn({ returnTo: '/?' + 'x'.repeat(2000) }))
    await shows(page, 'in')
    expect(page.url()).toBe(signet.origin + '/')
  })

  test('sends the browser straight to a provider, with a hint and a prompt, and leaves out the options that are not given', async () => {
    const page = await tab(context, signet, 'out')
    await page.evaluate(() => window.signet.signIn({ provider: 'google', loginHint: 'a+b@example.com', prompt: 'login', returnTo: '/notes' }))
    await shows(page, 'in')
    expect(signet.asked).toEqual({ return_to: signet.origin + '/notes', provider: 'google', login_hint: 'a+b@example.com', prompt: 'login' })
    await page.evaluate(() => window.signet.signIn({ loginHint: 'a@example.com' }))
    await expect.poll(() => signet.asked).toEqual({ return_to: signet.origin + '/notes', login_hint: 'a@example.com' })
    await page.waitForLoadState()
    await shows(page, 'in')
  })

  test('names the wrong path if another server answers', async () => {
    signet.config = { basePath: '/nowhere' }
    const page = await tab(context, signet, 'offline')
    expect(await text(page, '#error')).toBe('unexpected_answer')
  })
})

describe('a password that the app asks for', () => {
  const enter = (page: Page, password: string, returnTo?: string) => page.evaluate(([password, returnTo]) =>
    window.signet.signIn.password({ username: 'alice@example.com', password: password!, ...(returnTo && { returnTo }) })
      .catch(e => `${e.name} ${e.code} ${e.retryAfter}`), [password, returnTo])

  test('signs in here and in the other tabs, without leaving the page', async () => {
    const [page, other] = [await tab(context, signet, 'out'), await tab(context, signet, 'out')]
    expect(await enter(page, 'right')).toBe(true)
    expect([await text(page, '#status'), await text(page, '#name')]).toEqual(['in', 'Alice'])
    await shows(other, 'in')
    expect(await callApi(page)).toEqual(['200'])
    expect(signet.asked).toEqual({ return_to: signet.origin + '/' })
  })

  test.each([
    ['a wrong password', undefined, 'invalid_credentials undefined'],
    ['too many', { status: 429, error: 'too_many_attempts', retryAfter: '40' }, 'too_many_attempts 40'],
    ['a database away', { status: 503, error: 'temporarily_unavailable', retryAfter: '5' }, 'temporarily_unavailable 5'],
    ['another origin', { status: 403, error: 'cross_origin' }, 'cross_origin undefined'],
    ['no network', 'cut' as const, 'network undefined'],
  ])('is refused after %s, and nobody is signed in', async (_, fault, told) => {
    const page = await tab(context, signet, 'out')
    if (fault) signet.faults['/login'] = fault
    expect(await enter(page, fault ? 'right' : 'wrong')).toBe('SignetError ' + told)
    expect(await text(page, '#status')).toBe('out')
  })

  test('sends the browser to the sign-in pages if a password is not enough', async () => {
    const page = await tab(context, signet, 'out')
    signet.faults['/login'] = { status: 403, error: 'interaction_required', continue: signet.origin + '/elsewhere' }
    await page.evaluate(() => void window.signet.signIn.password({ username: 'alice@example.com', password: 'right', returnTo: '/notes' }))
    await page.waitForURL('**/elsewhere')
    expect(JSON.parse(signet.calls.find(c => c.path === '/auth/login')!.body).return_to).toBe(signet.origin + '/notes')
  })

  test('returns to this origin only', async () => {
    const page = await tab(context, signet, 'out')
    expect(await enter(page, 'right', '//evil.example/')).toMatch(/^TypeError/)
    expect(signet.count('/auth/login')).toBe(0)
  })
})

describe('useSession', () => {
  const changes = (page: Page) => page.evaluate(() => window.changes.splice(0))

  test('returns the same objects until something changes', async () => {
    const page = await signedIn()
    await changes(page)
    for (let n = 0; n < 3; n++) {
      await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))) // which reads the session
      await expect.poll(session).toBe(2 + n)
    }
    await callApi(page)
    expect(await changes(page)).toEqual([])
    signet.ahead += 1_000
    await page.evaluate(() => window.signet.refresh())
    await expect.poll(() => changes(page)).toEqual(['session']) // the session expires later; the user is equal
    await page.evaluate(() => window.signet.signOut())
    await expect.poll(() => changes(page)).toEqual(['session', 'user'])
  })
})

describe('answers that are not from Signet', () => {
  test.each([
    ['a proxy that does not reach it', { status: 502, html: '<h1>Bad Gateway</h1>', server: 'nginx' }, 'by a proxy (nginx)'],
    ['Vite, whose target is down', { status: 500, html: '' }, 'by a proxy (Vite?)'],
    ['a path of another program', { status: 404, html: '<h1>Not Found</h1>' }, 'is basePath /auth its path?'],
    ['index.html for every path', { status: 200, html: '<!doctype html>' }, 'is basePath /auth its path?'],
    ['an answer without a body', { status: 200, html: '' }, 'not answered by Signet'],
  ])('is told with its cause: %s', async (_, fault, told) => {
    const page = await signedIn()
    signet.faults['/session'] = signet.faults['/logout'] = fault
    const [code, message] = await page.evaluate(async () => {
      dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))
      return window.signet.signOut().then(() => ['signed out', 'not answered by Signet'], e => [e.code, e.message])
    })
    expect(message).toContain(told)
    if (code !== 'signed out') expect(code).toBe('unexpected_answer')
    await shows(page, code === 'signed out' ? 'out' : 'offline')
  })

  test('name the origin to allow, or that the browser is offline', async () => {
    const page = await signedIn()
    const why = () => page.evaluate(() => window.signet.signOut().catch(e => e.message))
    signet.faults['/logout'] = { status: 403, error: 'cross_origin' }
    expect(await why()).toContain(`from ${signet.origin} answered 403 cross_origin`)
    await context.setOffline(true)
    expect(await why()).toContain('not answered: offline')
    expect(await text(page, '#name')).toBe('Alice')
  })
})

describe('authFetch', () => {
  test('sends the cookies, the header and the body, and does not refresh without need', async () => {
    const page = await signedIn()
    const answer = await page.evaluate(() => window.signet.authFetch('/api', {
      method: 'POST', body: 'milk', headers: { 'Content-Type': 'text/todo' },
    }).then(r => r.json()))
    expect(answer).toEqual({ sub: alice.sub, method: 'POST', csrf: '1', type: 'text/todo', body: 'milk' })
    expect(refreshes()).toBe(0)
  })

  test('refreshes once after a 401 for twenty calls, and repeats each once', async () => {
    const page = await signedIn()
    signet.expireAccess()
    expect(await callApi(page, 20)).toEqual(Array(20).fill('200'))
    expect([refreshes(), signet.count('/api')]).toEqual([1, 40])
  })

  test('does not refresh for a 401 that comes after the refresh it needed', async () => {
    const page = await signedIn()
    signet.expireAccess()
    let held: (() => void) | undefined
    const arrived = new Promise<void>(done => {
      void page.route('**/api?late', async route => {
        const answer = await route.fetch()
        if (held) return route.fulfill({ response: answer })
        await new Promise<void>(go => { held = go; done() })
        await route.fulfill({ response: answer })
      }).then(() => page.evaluate(() => { (window as any).late = window.signet.authFetch('/api?late').then(r => r.status) }))
    })
    await arrived
    expect(await callApi(page)).toEqual(['200'])
    held!()
    expect(await page.evaluate(() => (window as any).late)).toBe(200)
    expect(refreshes()).toBe(1)
  })

  test.each([
    ['a string', `'x=1'`], ['a form', `new URLSearchParams({ x: '1' })`],
    ['bytes', `new TextEncoder().encode('x=1')`], ['a file', `new Blob(['x=1'])`],
  ])('sends %s a second time', async (_, body) => {
    const page = await signedIn()
    signet.expireAccess()
    const answer = await page.evaluate(`window.signet.authFetch('/api', { method: 'POST', body: ${body} }).then(r => r.json())`)
    expect(answer).toMatchObject({ body: 'x=1', csrf: '1' })
  })

  test('sends a Request a second time, with its own headers', async () => {
    const page = await signedIn()
    signet.expireAccess()
    const answer = await page.evaluate(() => window.signet.authFetch(
      new Request('/api', { method: 'PUT', body: 'x=1', headers: { 'Content-Type': 'text/todo' } })).then(r => r.json()))
    expect(answer).toMatchObject({ method: 'PUT', body: 'x=1', type: 'text/todo', csrf: '1' })
  })

  test('does not send a stream twice, and throws after refreshing the session', async () => {
    const page = await signedIn()
    signet.expireAccess()
    // HTTP/1.1 carries no streamed upload from Chromium: the first answer is made here.
    const reason = await page.evaluate(async () => {
      const real = window.fetch
      window.fetch = (input, init) => init?.body instanceof ReadableStream ? real(input) : real(input, init)
      const body = new ReadableStream({ start(c) { c.enqueue(new TextEncoder().encode('x')); c.close() } })
      try {
        await window.signet.authFetch('/api', { method: 'POST', body, duplex: 'half' } as RequestInit)
      } catch (e) {
        return e instanceof window.signet.SessionExpired && e.reason
      }
    })
    expect(reason).toBe('body_not_replayable')
    expect([refreshes(), signet.count('/api')]).toEqual([1, 1])
    expect(await text(page, '#status')).toBe('in')
  })

  test('returns a second 401 to the caller', async () => {
    const page = await signedIn()
    signet.faults['/api'] = { status: 401, error: 'insufficient' }
    expect(await callApi(page)).toEqual(['401'])
    expect([refreshes(), signet.count('/api')]).toEqual([1, 2])
    expect(await text(page, '#status')).toBe('in')
  })

  test('returns the 503 of an API that cannot check the token, without a refresh or a sign-out', async () => {
    const page = await signedIn()
    signet.expireAccess()
    signet.faults['/api'] = { status: 503, error: 'temporarily_unavailable', retryAfter: '5' }
    expect(await callApi(page, 3)).toEqual(Array(3).fill('503'))
    expect([refreshes(), signet.count('/api')]).toEqual([0, 3])
    expect(await text(page, '#status')).toBe('in')
    delete signet.faults['/api']
    expect(await callApi(page)).toEqual(['200'])
    expect(refreshes()).toBe(1)
  })

  test.each(['login_required', 'interaction_required'])('throws SessionExpired after %s, and the app is signed out', async code => {
    const page = await signedIn()
    signet.expireAccess()
    signet.faults['/refresh'] = { status: code === 'login_required' ? 401 : 403, error: code }
    expect(await callApi(page)).toEqual([`SessionExpired ${code}`])
    expect(await text(page, '#status')).toBe('out')
    expect(signet.count('/api')).toBe(1)
  })
})

describe('offline is not signed out', () => {
  test.each([
    ['a connection cut', 'cut' as const, 'network'],
    ['an answer cut', 'cut in the body' as const, 'network'],
    ['503', { status: 503, error: 'temporarily_unavailable', retryAfter: '5' }, 'temporarily_unavailable'],
    ['429', { status: 429, error: 'too_many_attempts', retryAfter: '5' }, 'too_many_attempts'],
    ['500', { status: 500, error: 'server_error' }, 'server_error'],
  ])('after %s at /refresh', async (_, fault, code) => {
    const page = await signedIn()
    signet.expireAccess()
    signet.faults['/refresh'] = fault
    expect(await callApi(page)).toEqual([`SignetError ${code}`])
    expect(await text(page, '#status')).toBe('offline')
    expect(await text(page, '#error')).toBe(code)
    expect(await text(page, '#name')).toBe('Alice')
    signet.faults = {}
    expect(await callApi(page)).toEqual(['200'])
    expect(await text(page, '#status')).toBe('in')
  })

  test('when the first read is not answered, until the network is back', async () => {
    await context.request.get(signet.origin + '/auth/login?return_to=/')
    signet.faults['/session'] = 'cut'
    const page = await tab(context, signet, 'offline')
    expect(await text(page, '#name')).toBeUndefined()
    expect(await text(page, '#nobody')).toBeUndefined()
    signet.faults = {}
    await page.evaluate(() => dispatchEvent(new Event('online')))
    await shows(page, 'in')
  })

  test('reads again after Retry-After, not before', async () => {
    await context.request.get(signet.origin + '/auth/login?return_to=/')
    await moveClock()
    signet.faults['/session'] = { status: 503, error: 'temporarily_unavailable', retryAfter: '40' }
    const page = await tab(context, signet, 'offline')
    signet.faults = {}
    await page.clock.runFor(39_000)
    expect([session(), await text(page, '#status')]).toEqual([1, 'offline'])
    await page.clock.runFor(12_000)
    await shows(page, 'in')
  })

  test('a refresh that is never answered times out, and the next one runs', async () => {
    await context.addInitScript(() => { const real = AbortSignal.timeout; AbortSignal.timeout = ms => real.call(AbortSignal, ms / 20) })
    const page = await signedIn()
    signet.expireAccess()
    signet.faults['/refresh'] = 'hang'
    expect(await callApi(page)).toEqual(['SignetError network'])
    signet.faults = {}
    expect(await callApi(page)).toEqual(['200'])
  })

  test('signing out rejects if Signet cannot be reached, and the person stays signed in', async () => {
    const page = await signedIn()
    signet.faults['/logout'] = 'cut'
    expect(await page.evaluate(() => window.signet.signOut().catch(e => e.code))).toBe('network')
    expect(await text(page, '#status')).toBe('in')
  })
})

describe('before the token expires', () => {
  const minute = 60_000
  beforeEach(moveClock)

  test('is renewed at four fifths of its life, at a random moment near it in each browser', async () => {
    const page = await signedIn()
    await page.clock.runFor(11.9 * minute) // of 15
    expect(refreshes()).toBe(0)
    await page.clock.runFor(1.7 * minute)
    await expect.poll(refreshes).toBe(1)
    await page.clock.runFor(11.9 * minute)
    expect(refreshes()).toBe(1)
    await page.clock.runFor(1.7 * minute)
    await expect.poll(refreshes).toBe(2)
  })

  test('is not renewed while the page is hidden, but when it becomes visible', async () => {
    const page = await signedIn()
    await setVisible(page, false)
    await page.clock.runFor(60 * minute)
    expect(refreshes()).toBe(0)
    await setVisible(page, true)
    await expect.poll(refreshes).toBe(1)
  })

  test.each([-3, 3])('goes by the clock of Signet, %i hours ahead', async hours => {
    signet.ahead = hours * 60 * minute
    const page = await signedIn()
    await page.clock.runFor(11.9 * minute)
    expect(refreshes()).toBe(0)
    await page.clock.runFor(1.7 * minute)
    await expect.poll(refreshes).toBe(1)
  })

  test('reads the session again when the page becomes visible, at most once in 5 s', async () => {
    const page = await signedIn()
    signet.endSessions()
    await setVisible(page, true)
    expect(session()).toBe(1)
    await page.clock.runFor(6_000)
    await setVisible(page, true)
    await shows(page, 'out')
  })
})

describe('two tabs', () => {
  /** Sends ten calls from each of two tabs while the refresh of the first tab is under way. */
  async function callInBoth(waits: (second: Page) => Promise<boolean>) {
    const [first, second] = [await signedIn(), await tab(context, signet, 'in')]
    signet.expireAccess()
    let go = () => {}
    signet.gate = new Promise<void>(done => { go = done })
    const answers = [callApi(first, 10)]
    await expect.poll(refreshes).toBe(1)
    answers.push(callApi(second, 10))
    await expect.poll(() => waits(second)).toBe(true)
    go()
    expect((await Promise.all(answers)).flat()).toEqual(Array(20).fill('200'))
  }

  test('refresh once for twenty calls', async () => {
    await callInBoth(async second => await waiting(second) === 1)
    expect([refreshes(), signet.count('/api')]).toEqual([1, 40])
  })

  test('refresh once even if the waiting tab missed the message', async () => {
    await context.addInitScript(() => { BroadcastChannel.prototype.postMessage = () => {} })
    await callInBoth(async second => await waiting(second) === 1)
    expect(refreshes()).toBe(1)
  })

  test('refresh once in each tab without Web Locks', async () => {
    await context.addInitScript(() => { Object.defineProperty(navigator, 'locks', { value: undefined }) })
    await callInBoth(async () => refreshes() === 2)
    expect([refreshes(), signet.count('/api')]).toEqual([2, 40])
  })

  test.each(['hang', 'lost'] as const)('a tab killed while it refreshes does not stop the other: %s', async fault => {
    const [first, second] = [await signedIn(), await tab(context, signet, 'in')]
    signet.expireAccess()
    signet.faults['/refresh'] = fault
    void callApi(first).catch(() => {})
    await expect.poll(refreshes).toBe(1)
    const answer = callApi(second)
    signet.faults = {}
    await first.close()
    expect(await answer).toEqual(['200'])
  })

  test('show a sign-out of one in the other', async () => {
    const [first, second] = [await signedIn(), await tab(context, signet, 'in')]
    await first.evaluate(() => window.signet.signOut())
    await shows(second, 'out')
    expect(await text(first, '#status')).toBe('out')
    expect(await callApi(second)).toEqual(['SessionExpired login_required'])
  })

  test('show a sign-in of one in the other', async () => {
    const [first, second] = [await tab(context, signet, 'out'), await tab(context, signet, 'out')]
    await first.evaluate(() => window.signet.signIn())
    await shows(first, 'in')
    await shows(second, 'in')
  })

  test('reload one if another person signs in in the other', async () => {
    const first = await signedIn()
    await first.evaluate(() => { (window as any).mark = 'of Alice' })
    signet.next = bob
    await signedIn()
    await expect.poll(() => text(first, '#name')).toBe('Bob')
    expect(await first.evaluate(() => (window as any).mark)).toBeUndefined()
  })

  test('delay the renewal of one after a renewal in the other', async () => {
    const [first, second] = [await signedIn(), await tab(context, signet, 'in')]
    signet.life *= 2
    await first.evaluate(() => window.signet.refresh())
    const expires = await text(first, '#expires')
    await expect.poll(() => text(second, '#expires')).toBe(expires)
  })

  test('sign out only after a running refresh, which would set the cookies again', async () => {
    const page = await signedIn()
    signet.slow = 100
    await page.evaluate(() => Promise.allSettled([window.signet.refresh(), window.signet.signOut()]))
    expect(signet.calls.map(c => c.path).filter(p => /refresh|logout/.test(p))).toEqual(['/auth/refresh', '/auth/logout'])
    expect(await text(page, '#status')).toBe('out')
    expect(await context.cookies()).toEqual([])
  })
})

describe('a page that the browser keeps to go back to', () => {
  // Playwright's own waits for ever there.
  const go = async (page: Page, by: number, path: string) => {
    await page.evaluate(by => { setTimeout(() => history.go(by)) }, by)
    await page.waitForFunction(path => location.pathname === path, path)
  }
  const startCall = (page: Page) => page.evaluate(() => void window.signet.authFetch('/api').catch(() => {}))
  const kept = (page: Page) => page.evaluate(() => (window as any).kept)

  /** Opens a tab whose previous page has no app: a message to such a page would remove it from the cache. */
  async function second(): Promise<Page> {
    const page = await context.newPage()
    await page.goto(signet.origin + '/elsewhere')
    await page.goto(signet.origin + '/')
    await shows(page, 'in')
    await page.evaluate(() => { (window as any).kept = true })
    return page
  }

  test('shows that the person signed out meanwhile', async () => {
    await signedIn()
    const page = await second()
    await go(page, -1, '/elsewhere')
    signet.endSessions()
    await go(page, 1, '/')
    await shows(page, 'out')
    expect(await kept(page)).toBe(true)
  })

  test('does not keep the lock of its refresh', async () => {
    const other = await signedIn()
    const page = await second()
    signet.expireAccess()
    signet.faults['/refresh'] = 'hang'
    await startCall(page)
    await expect.poll(refreshes).toBe(1)
    const answer = callApi(other)
    await expect.poll(() => waiting(other)).toBe(1)
    signet.faults = {}
    await go(page, -1, '/elsewhere')
    expect(await answer).toEqual(['200'])
    await go(page, 1, '/')
    await shows(page, 'in') // a page that the browser did not keep must load its app again
    expect(await callApi(page)).toEqual(['200'])
  })

  test('does not receive the lock that it waited for', async () => {
    const first = await signedIn()
    const page = await second()
    const third = await tab(context, signet, 'in')
    signet.expireAccess()
    signet.faults['/refresh'] = 'hang'
    await startCall(first)
    await expect.poll(refreshes).toBe(1)
    await startCall(page)
    await expect.poll(() => waiting(third)).toBe(1)
    const answer = callApi(third)
    await expect.poll(() => waiting(third)).toBe(2)
    await go(page, -1, '/elsewhere')
    signet.faults = {}
    await first.close()
    expect(await answer).toEqual(['200'])
    await go(page, 1, '/')
    await shows(page, 'in') // a page that the browser did not keep must load its app again
    expect(await callApi(page)).toEqual(['200'])
  })
})

describe('a page rendered by the server', () => {
  async function render() {
    const request = new Request(signet.origin + '/', { headers: { cookie: (await context.cookies()).map(c => `${c.name}=${c.value}`).join('; ') } })
    const initialSession = await getSession(request, signet.origin + '/auth/')
    signet.config = { initialSession }
    signet.html = renderToString(<App config={{ initialSession }} />)
    signet.calls.length = 0
    return initialSession
  }

  test('shows the session at once, without a request to Signet', async () => {
    await context.request.get(signet.origin + '/auth/login?return_to=/')
    await render()
    expect(signet.html).toContain('<p id="name">Alice</p>')
    const page = await tab(context, signet, 'in')
    expect(new Set(await seen(page))).toEqual(new Set(['in']))
    expect(await page.evaluate(() => window.complaints)).toEqual([])
    expect(await callApi(page)).toEqual(['200'])
    expect([session(), refreshes()]).toEqual([0, 0])
  })

  test('shows that nobody is signed in', async () => {
    expect(await render()).toEqual({ authenticated: false })
    const page = await tab(context, signet, 'out')
    expect(new Set(await seen(page))).toEqual(new Set(['out']))
    expect(session()).toBe(0)
  })

  test('reads the session itself if the server could not', async () => {
    await context.request.get(signet.origin + '/auth/login?return_to=/')
    signet.faults['/session'] = { status: 503, error: 'temporarily_unavailable' }
    expect(await render()).toBeUndefined()
    signet.faults = {}
    const page = await tab(context, signet, 'in')
    expect((await seen(page))[0]).toBe('loading')
    expect(await page.evaluate(() => window.complaints)).toEqual([])
  })

  test('sends the cookies only to the URL in its argument', async () => {
    const request = new Request('http://evil.example/', { headers: { cookie: 'signet=x', host: 'evil.example' } })
    await expect(getSession(request, '/auth')).rejects.toThrow('whole URL of Signet')
    expect(await getSession(request, signet.origin + '/auth')).toEqual({ authenticated: false })
    expect(signet.calls.map(c => Object.keys(c.headers).filter(h => h === 'authorization' || h === 'cookie'))).toEqual([['cookie']])
  })
})

describe('Signet on a sibling host', () => {
  let app: Signet

  beforeEach(async () => {
    app = await Signet.start(script)
    signet.allow(app.origin)
    app.config = { basePath: signet.origin + '/auth/' }
  })
  afterEach(() => app.stop())

  test('signs in, refreshes and signs out with its cookies', async () => {
    const page = await tab(context, app, 'out')
    await page.evaluate(() => window.signet.signIn())
    await shows(page, 'in')
    expect(page.url()).toBe(app.origin + '/')
    signet.expireAccess()
    const api = await page.evaluate(url => window.signet.authFetch(url).then(r => r.status), signet.origin + '/api')
    expect([api, refreshes()]).toEqual([200, 1])
    await page.evaluate(() => window.signet.signOut())
    expect(await text(page, '#status')).toBe('out')
    expect(signet.count('/auth/logout', 'POST')).toBe(1)
    expect(app.calls.filter(c => c.path.startsWith('/auth'))).toEqual([])
  })

  test('names the setting that may lack its origin, if the browser hides the answers', async () => {
    const stranger = await Signet.start(script)
    stranger.config = app.config
    const page = await tab(context, stranger, 'offline')
    expect(await page.evaluate(() => window.signet.signOut().catch(e => e.message))).toContain(`is ${stranger.origin} in first_party.origins?`)
    await stranger.stop()
  })

  test('reads how long to wait', async () => {
    signet.faults['/session'] = { status: 429, error: 'too_many_attempts', retryAfter: '40' }
    const page = await tab(context, app, 'offline')
    expect(await page.evaluate(() => window.signet.refresh().catch(e => e.reason))).toBe('login_required')
    expect(await text(page, '#error')).toBe('')
  })
})

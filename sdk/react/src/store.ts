import { call, locate, unexpected, type Answer } from './call.js'
import { exclusive } from './lock.js'
import { sessionOf } from './sessionof.js'
import { SessionExpired, SignetError, type Session, type SessionAnswer } from './session.js'

// The state of this page. A browser has one session, so there is one of each; a
// server, which serves many people, never writes here.
let session: Session = { status: 'loading' }
const listeners = new Set<() => void>()

let round = 0 // of reading the session: only what the latest has read counts
let reading: Promise<void> | undefined
let renewing: Promise<boolean> | undefined
let renewals = 0 // of the access token, by this tab or another one
let failures = 0 // in a row
let asked = 0 // when Signet was last asked

let channel: BroadcastChannel | undefined
let timer: ReturnType<typeof setTimeout> | undefined
let due = Infinity // when to renew, or to ask again
let until = 0 // when the access token expires, by the clock of this machine

/** What the tabs tell one another: who is signed in, and until when. */
interface News {
  sub: string | undefined
  expiresAt: Date | undefined
  until: number
}

/** What the app sees now. */
export const current = () => session

/** Calls listener after each change, until the function it returns is called. */
export function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** Begins with what the server has rendered, unless more is known already. */
export function seed(first: Session): void {
  if (session.status !== 'loading') return
  session = first
  asked = Date.now()
  if (first.expiresAt) renewIn(+first.expiresAt - Date.now())
}

/**
 * Reads the session if nobody has, and keeps it fresh until the function it returns
 * is called.
 */
export function start(): () => void {
  const stop = new AbortController()
  const { signal } = stop
  channel = new BroadcastChannel('signet' + locate(''))
  channel.onmessage = hear
  addEventListener('online', wake, { signal })
  addEventListener('pageshow', event => { if (event.persisted) void read() }, { signal })
  document.addEventListener('visibilitychange', wake, { signal })
  if (session.status === 'loading') void (reading ?? read())
  else at(due - Date.now())
  return () => {
    stop.abort()
    channel?.close()
    channel = undefined
    clearTimeout(timer)
  }
}

/**
 * Renews the access token, once for all that ask meanwhile in this browser. With
 * since, the count of renewals when a call was sent, it does nothing if there was one
 * after that. It tells whether Signet's answer came to this tab, so that the cookies
 * are surely there. SessionExpired; SignetError, which signs nobody out.
 */
export function renew(since = renewals): Promise<boolean> {
  return renewing ??= exclusive(waited => renewOnce(waited, since)).finally(() => { renewing = undefined })
}

/** How often the access token was renewed. */
export const renewalCount = () => renewals

async function renewOnce(waited: boolean, since: number): Promise<boolean> {
  try {
    if (renewals > since || (waited && await renewedElsewhere())) return false
    const { body, now } = await call<{ expires_at: string }>('POST', '/refresh')
    extend(new Date(body.expires_at), Date.parse(body.expires_at) - now)
    return true
  } catch (error) {
    if (!(error instanceof SignetError)) throw error
    if (!/_required$/.test(error.code)) throw unreachable(error, session)
    signedOut()
    throw new SessionExpired(error.code as 'login_required', { cause: error })
  }
}

/** The tab that held the lock may have renewed, or signed out, before its news is here. */
async function renewedElsewhere(): Promise<boolean> {
  const before = +session.expiresAt! || 0
  const { body, now } = await call<SessionAnswer>('GET', '/session')
  if (!body.authenticated || isOther(body.user.sub)) throw new SignetError('login_required', 'signed out')
  const expires = Date.parse(body.expires_at)
  if (!(expires > before && expires > now)) return false
  extend(new Date(expires), expires - now)
  return true
}

/** The access token is good for left milliseconds more. */
function extend(expiresAt: Date, left: number): void {
  renewals++
  renewIn(Math.max(left, 30_000)) // a clock far ahead must not make a loop
  if (session.user) publish({ ...session, status: 'in', error: undefined, expiresAt })
  else if (!reading) void read()
}

/** Asks who is signed in; whatever an earlier call reads does not count any more. */
export function read(): Promise<void> {
  const mine = readRound(++round).finally(() => { if (reading === mine) reading = undefined })
  return reading = mine
}

async function readRound(mine: number): Promise<void> {
  let known: Session = session
  try {
    const answer = await call<SessionAnswer>('GET', '/session')
    if (mine !== round) return
    known = checked(answer)
    if (!known.user) return signedOut()
    const left = +known.expiresAt - answer.now
    if (left <= 0) {
      await renew() // the cookies come first, then the state that makes the app call with them
      known.expiresAt = session.expiresAt ?? known.expiresAt
    } else if (!(session.expiresAt! > known.expiresAt)) renewIn(left)
    if (mine === round) publish(known)
  } catch (error) {
    if (mine === round) unreachable(error as SignetError, known)
  }
}

function checked({ body }: Answer<SessionAnswer>): Session {
  const known = typeof body?.authenticated === 'boolean' && sessionOf(body)
  if (!known || (known.user && !+known.expiresAt)) throw unexpected('GET /session')
  return known
}

/** Nobody is signed in, as Signet has said. */
export function signedOut(): void {
  round++
  at(Infinity)
  publish({ status: 'out' })
}

/** Whoever was signed in still is, and whoever was not is not, as far as anybody knows. */
function unreachable(error: SignetError, known: Session): SignetError {
  const patience = Math.min(5_000 * 2 ** failures++, 300_000)
  at((error.retryAfter ? error.retryAfter * 1000 : patience) * (1 + Math.random() / 4))
  if (session.status !== 'out') show({ ...known, status: 'offline', error } as Session)
  return error
}

/** Shows what Signet has answered, here and in the other tabs. */
function publish(next: Session): void {
  failures = 0
  asked = Date.now()
  if (show(next)) channel?.postMessage({ sub: next.user?.sub, expiresAt: next.expiresAt, until } satisfies News)
}

/** Another person must not see what this page holds of the one before. */
function isOther(sub: string | undefined): boolean {
  const other = !!session.user && !!sub && session.user.sub !== sub
  if (other) location.reload()
  return other
}

/** Lets the app see next, and tells whether anything in it is new. */
function show(next: Session): boolean {
  if (isOther(next.user?.sub) || same(next, session)) return false
  // What is the same stays the same object: effects of the app depend on it.
  session = same(next.user, session.user) ? { ...next, user: session.user } as Session : next
  for (const listener of listeners) listener()
  return true
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)

function hear({ data }: MessageEvent<News>): void {
  if (isOther(data.sub)) return
  if (session.user?.sub !== data.sub || session.status === 'loading') return void read()
  if (!session.user || !(data.expiresAt! > session.expiresAt)) return
  renewals++
  renewIn(data.until - Date.now())
  show({ ...session, status: 'in', error: undefined, expiresAt: data.expiresAt! })
}

/** At four fifths of the token's life, or a little later, so that not all come at once. */
function renewIn(left: number): void {
  until = Date.now() + left
  at(left * (0.8 + Math.random() / 10))
}

function at(delay: number): void {
  const wait = Math.ceil(delay) // timers count whole milliseconds
  due = Date.now() + wait
  clearTimeout(timer)
  if (channel && delay < Infinity) timer = setTimeout(tick, Math.min(wait, 2 ** 31 - 1))
}

/** Does what is due. A page that nobody sees leaves it until somebody does. */
function tick(): void {
  if (document.visibilityState !== 'visible') return
  if (Date.now() < due) return at(due - Date.now())
  if (session.status === 'in') renew().catch(() => {}) // told by the state
  else void read()
}

/** Somebody looks, or the network is back: what was said 5 s ago may have changed. */
function wake(): void {
  if (document.visibilityState !== 'visible') return
  if (session.status === 'in' && Date.now() >= due) tick()
  else if (session.status === 'offline' || Date.now() - asked > 5_000) void read()
}

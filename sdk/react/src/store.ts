import { call, locate, unexpected, type Answer } from './call.js'
import { exclusive } from './lock.js'
import { sessionOf } from './sessionof.js'
import { SessionExpired, SignetError, type Session, type SessionAnswer } from './session.js'

// The state of this page. A browser has one session, so each variable exists once. A
// server serves many people and never writes here.
let session: Session = { status: 'loading' }
const listeners = new Set<() => void>()

let round = 0 // counts the reads of the session: only the answer of the latest one is used
let reading: Promise<void> | undefined
let renewing: Promise<boolean> | undefined
let renewals = 0 // of the access token, by this tab and the others
let failures = 0 // in a row
let asked = 0 // when Signet was last asked

let channel: BroadcastChannel | undefined
let timer: ReturnType<typeof setTimeout> | undefined
let due = Infinity // when to renew or to read again
let until = 0 // when the access token expires, by the clock of this machine

/** The message between tabs: the signed-in person, and the end of the access token. */
interface News {
  sub: string | undefined
  expiresAt: Date | undefined
  until: number
}

/** Returns the state that the app sees now. */
export const current = () => session

/** Calls listener after each change, until the function it returns is called. */
export function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** Starts with the session that the server rendered, unless the page has read a newer one. */
export function seed(first: Session): void {
  if (session.status !== 'loading') return
  session = first
  asked = Date.now()
  if (first.expiresAt) renewIn(+first.expiresAt - Date.now())
}

/**
 * Reads the session if it was not read yet, and keeps it fresh until the returned function
 * is called.
 */
export function start(): () => void {
  const stop = new AbortController()
  const { signal } = stop
  channel = new BroadcastChannel('signet' + locate(''))
  channel.onmessage = receive
  addEventListener('online', wake, { signal })
  addEventListener('pageshow', event => { if (event.persisted) void read() }, { signal })
  document.addEventListener('visibilitychange', wake, { signal })
  if (session.status === 'loading') void (reading ?? read())
  else schedule(due - Date.now())
  return () => {
    stop.abort()
    channel?.close()
    channel = undefined
    clearTimeout(timer)
  }
}

/**
 * Renews the access token, once for all callers in this browser that wait at the same
 * time. since is the count of renewals when the caller sent its call: if the token was
 * renewed after that, renew does nothing. Returns true if this tab received Signet's
 * answer, so that the cookies are certainly stored. Throws SessionExpired, and SignetError,
 * after which the person is still signed in.
 */
export function renew(since = renewals): Promise<boolean> {
  return renewing ??= exclusive(waited => renewOnce(waited, since)).finally(() => { renewing = undefined })
}

/** Returns how often the access token was renewed. */
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

/** Checks whether the tab that held the lock renewed or signed out; its message may arrive later. */
async function renewedElsewhere(): Promise<boolean> {
  const before = +session.expiresAt! || 0
  const { body, now } = await call<SessionAnswer>('GET', '/session')
  if (!body.authenticated || isOther(body.user.sub)) throw new SignetError('login_required', 'signed out')
  const expires = Date.parse(body.expires_at)
  if (!(expires > before && expires > now)) return false
  extend(new Date(expires), expires - now)
  return true
}

/** Records that the access token is valid for left more milliseconds. */
function extend(expiresAt: Date, left: number): void {
  renewals++
  renewIn(Math.max(left, 30_000)) // a clock far ahead must not make a loop
  if (session.user) publish({ ...session, status: 'in', error: undefined, expiresAt })
  else if (!reading) void read()
}

/** Reads the session. The answers of earlier reads that are still running are ignored. */
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

/** Records Signet's answer that nobody is signed in. */
export function signedOut(): void {
  round++
  schedule(Infinity)
  publish({ status: 'out' })
}

/** Records that Signet could not be reached: the last known state stays. */
function unreachable(error: SignetError, known: Session): SignetError {
  const patience = Math.min(5_000 * 2 ** failures++, 300_000)
  schedule((error.retryAfter ? error.retryAfter * 1000 : patience) * (1 + Math.random() / 4))
  if (session.status !== 'out') show({ ...known, status: 'offline', error } as Session)
  return error
}

/** Shows Signet's answer in this tab and the others. */
function publish(next: Session): void {
  failures = 0
  asked = Date.now()
  if (show(next)) channel?.postMessage({ sub: next.user?.sub, expiresAt: next.expiresAt, until } satisfies News)
}

/** Reloads if another person has signed in, who must not see this page's data of the person before. */
function isOther(sub: string | undefined): boolean {
  const other = !!session.user && !!sub && session.user.sub !== sub
  if (other) location.reload()
  return other
}

/** Shows next to the app, and returns whether it differs from the state before. */
function show(next: Session): boolean {
  if (isOther(next.user?.sub) || same(next, session)) return false
  // An equal user stays the same object: effects of the app depend on it.
  session = same(next.user, session.user) ? { ...next, user: session.user } as Session : next
  for (const listener of listeners) listener()
  return true
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)

function receive({ data }: MessageEvent<News>): void {
  if (isOther(data.sub)) return
  if (session.user?.sub !== data.sub || session.status === 'loading') return void read()
  if (!session.user || !(data.expiresAt! > session.expiresAt)) return
  renewals++
  renewIn(data.until - Date.now())
  show({ ...session, status: 'in', error: undefined, expiresAt: data.expiresAt! })
}

/** Schedules the renewal at four fifths of the token's life, plus a random part, so that the tabs do not all ask at once. */
function renewIn(left: number): void {
  until = Date.now() + left
  schedule(left * (0.8 + Math.random() / 10))
}

function schedule(delay: number): void {
  const wait = Math.ceil(delay) // timers count whole milliseconds
  due = Date.now() + wait
  clearTimeout(timer)
  if (channel && delay < Infinity) timer = setTimeout(tick, Math.min(wait, 2 ** 31 - 1))
}

/** Renews or reads if it is time to. A hidden page waits until it is visible. */
function tick(): void {
  if (document.visibilityState !== 'visible') return
  if (Date.now() < due) return schedule(due - Date.now())
  if (session.status === 'in') renew().catch(() => {}) // the state shows the error
  else void read()
}

/** Runs when the page becomes visible or the network is back: an answer older than 5 s may be outdated. */
function wake(): void {
  if (document.visibilityState !== 'visible') return
  if (session.status === 'in' && Date.now() >= due) tick()
  else if (session.status === 'offline' || Date.now() - asked > 5_000) void read()
}

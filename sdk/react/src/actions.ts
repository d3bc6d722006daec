import { call, credentials, locate } from './call.js'
import { exclusive } from './lock.js'
import { SessionExpired } from './session.js'
import { read, renew, renewalCount, signedOut } from './store.js'

/** Options of signIn. */
export interface SignInOptions {
  /** The page to return to, by default the current one. It must be on this origin, else TypeError. */
  returnTo?: string
  /** The id of a connector: the browser goes straight to it. If the id is unknown, Signet's page says so. */
  provider?: string
  /** The email address that the form is filled with. */
  loginHint?: string
  /** `login`: ask for the password even if the person is signed in; `select_account`: let the person choose an account. */
  prompt?: 'login' | 'select_account'
}

function comeBack(to = location.href): string {
  const { origin, href } = new URL(to, location.href)
  if (origin !== location.origin) throw new TypeError(`returnTo must be on ${location.origin}`)
  return href.length > 768 ? origin + '/' : href // Signet refuses a longer one
}

/** Sends the browser to the sign-in page, which returns to returnTo. */
function goSignIn({ returnTo, provider, loginHint, prompt }: SignInOptions = {}): void {
  const asked = JSON.stringify({ return_to: comeBack(returnTo), provider, login_hint: loginHint, prompt })
  location.assign(locate('/login?') + new URLSearchParams(JSON.parse(asked))) // JSON leaves out the undefined members
}

/** The fields of the app's own sign-in form. */
export interface Password extends Pick<SignInOptions, 'returnTo'> {
  username: string
  password: string
}

/**
 * Signs in with the password from the app's own form. Returns true if the person is signed
 * in. Returns false if a password is not enough: the browser is then on its way to the page
 * that asks for the rest, which returns to returnTo. Throws SignetError: `invalid_credentials`,
 * `too_many_attempts` and `temporarily_unavailable` (both with retryAfter), …
 */
async function password({ username, password, returnTo }: Password): Promise<boolean> {
  const return_to = comeBack(returnTo)
  try {
    await exclusive(() => call('POST', '/login', { username, password, return_to }))
    await read()
    return true
  } catch (error: any) {
    if (!error.cause?.continue) throw error
    location.assign(error.cause.continue)
    return false
  }
}

/** Sends the browser to the sign-in page; `signIn.password` signs in without that page. */
export const signIn = Object.assign(goSignIn, { password })

/**
 * Ends the browser's session, in this tab and the others. Throws SignetError if Signet
 * could not be reached: the person is then still signed in.
 */
export async function signOut(): Promise<void> {
  // Never during a refresh: its answer could set the cookies again after this call removed them.
  await exclusive(() => call('POST', '/logout'))
  signedOut()
}

/**
 * Renews the access token now. Throws SessionExpired if nobody is signed in, and
 * SignetError if Signet did not answer; the person stays signed in then.
 */
export async function refresh(): Promise<void> {
  await renew()
}

/**
 * fetch for the app's own API. It sends the cookies and the header `X-CSRF: 1`. After a
 * 401 it refreshes once and calls once more; a second 401 is returned to the caller.
 * Throws SessionExpired, SignetError if Signet did not answer, and the errors of fetch.
 */
export async function authFetch(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
  const request = input as Partial<Request> // a string or a URL has none of the members of a Request
  const headers = new Headers(init.headers ?? request.headers)
  headers.set('X-CSRF', '1')
  const send = () => fetch(request.clone?.() ?? input, { credentials: credentials(), ...init, headers })
  let since = renewalCount()
  let response = await send()
  for (let rounds = 2; rounds > 0 && response.status === 401; rounds--) {
    await response.body?.cancel()
    // A tab that was closed may have renewed the token without storing the cookies: try a second time.
    if (await renew(since)) rounds = 1
    if (init.body instanceof ReadableStream) throw new SessionExpired('body_not_replayable')
    since = renewalCount()
    response = await send()
  }
  return response
}

import { call, credentials, locate } from './call.js'
import { exclusive } from './lock.js'
import { SessionExpired } from './session.js'
import { read, renew, renewalCount, signedOut } from './store.js'

/** What a sign-in may be told. */
export interface SignInOptions {
  /** Where to come back to, by default the page the browser is on: an address of this origin, else TypeError. */
  returnTo?: string
  /** The id of a connector, to go straight to. Signet's own page says so if there is none of that id. */
  provider?: string
  /** Who it probably is: the e-mail address that the form begins with. */
  loginHint?: string
  /** `login`: ask also those who are signed in; `select_account`: let them choose. */
  prompt?: 'login' | 'select_account'
}

function comeBack(to = location.href): string {
  const { origin, href } = new URL(to, location.href)
  if (origin !== location.origin) throw new TypeError(`returnTo must be on ${location.origin}`)
  return href.length > 768 ? origin + '/' : href // Signet takes no longer one
}

/** Goes to the sign-in page, which leads back. */
function goSignIn({ returnTo, provider, loginHint, prompt }: SignInOptions = {}): void {
  const asked = JSON.stringify({ return_to: comeBack(returnTo), provider, login_hint: loginHint, prompt })
  location.assign(locate('/login?') + new URLSearchParams(JSON.parse(asked))) // without what is undefined
}

/** What the app's own form has asked for. */
export interface Password extends Pick<SignInOptions, 'returnTo'> {
  username: string
  password: string
}

/**
 * Signs in with a password that the app's own form has asked for. It tells whether the
 * person is signed in; false: more is needed than a password, and the browser is on its
 * way to the page that asks for it, and then to returnTo. SignetError: `invalid_credentials`,
 * `too_many_attempts` and `temporarily_unavailable` (with retryAfter), …
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

/** Goes to the sign-in page; `signIn.password` signs in without it. */
export const signIn = Object.assign(goSignIn, { password })

/**
 * Ends the browser's session, here and in the other tabs. SignetError if Signet could
 * not be told: the person is signed in still.
 */
export async function signOut(): Promise<void> {
  // Not beside a refresh, whose cookies could come after these are gone.
  await exclusive(() => call('POST', '/logout'))
  signedOut()
}

/**
 * Renews the access token now. SessionExpired if nobody is signed in; SignetError if
 * Signet did not answer, which signs nobody out.
 */
export async function refresh(): Promise<void> {
  await renew()
}

/**
 * fetch for the app's own API: sends the cookies and the header `X-CSRF: 1`, and
 * after a 401 refreshes once and calls once more. A 401 after that is returned as it is.
 * SessionExpired; SignetError if Signet could not be asked; what fetch throws.
 */
export async function authFetch(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
  const request = input as Partial<Request> // or a string or URL, which have none of its members
  const headers = new Headers(init.headers ?? request.headers)
  headers.set('X-CSRF', '1')
  const send = () => fetch(request.clone?.() ?? input, { credentials: credentials(), ...init, headers })
  let since = renewalCount()
  let response = await send()
  for (let rounds = 2; rounds > 0 && response.status === 401; rounds--) {
    await response.body?.cancel()
    // A tab that was closed may have renewed and never got its cookies: then once more.
    if (await renew(since)) rounds = 1
    if (init.body instanceof ReadableStream) throw new SessionExpired('body_not_replayable')
    since = renewalCount()
    response = await send()
  }
  return response
}

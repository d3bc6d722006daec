import { call, credentials, locate } from './call.js'
import { exclusive } from './lock.js'
import { SessionExpired } from './session.js'
import { renew, renewalCount, signedOut } from './store.js'

// Signet takes no longer one.
const longestReturn = 1024

/**
 * Goes to the sign-in page. The browser comes back to returnTo, by default the page
 * it is on: an address of this origin, else TypeError.
 */
export function signIn({ returnTo = location.href }: { returnTo?: string } = {}): void {
  const back = new URL(returnTo, location.href)
  if (back.origin !== location.origin) throw new TypeError(`returnTo must be on ${location.origin}, not on ${back.origin}`)
  const href = back.href.length > longestReturn ? back.origin + '/' : back.href
  location.assign(locate('/login?return_to=') + encodeURIComponent(href))
}

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
  const request = input instanceof Request
  const headers = new Headers(init.headers ?? (request ? input.headers : undefined))
  headers.set('X-CSRF', '1')
  const send = () => fetch(request ? input.clone() : input, { credentials: credentials(), ...init, headers })
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

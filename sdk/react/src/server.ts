import type { SessionAnswer } from './session.js'

export type { SessionAnswer, User } from './session.js'

/**
 * Tells on the app's server who has sent request, for initialSession. Signet is asked
 * with the request's cookies, which the app's server has where both share one origin.
 * undefined if Signet did not answer within 3 s: the page then asks by itself.
 *
 * @param base the URL of Signet, since a Host header may be anybody's: to whom the
 * cookies go is not for the request to say. TypeError if it is not a URL.
 */
export async function getSession(
  request: { headers: { get(name: string): string | null } },
  base: string,
): Promise<SessionAnswer | undefined> {
  if (!/^https?:/.test(base)) throw new TypeError(`getSession needs the whole URL of Signet, not ${base}`)
  const cookie = request.headers.get('cookie')
  if (!cookie) return { authenticated: false }
  try {
    const response = await fetch(base.replace(/\/+$/, '') + '/session', {
      headers: { cookie }, cache: 'no-store', redirect: 'error', signal: AbortSignal.timeout(3_000),
    })
    if (!response.ok) return undefined
    const answer = await response.json()
    return typeof answer.authenticated === 'boolean' ? answer : undefined
  } catch {
    return undefined
  }
}

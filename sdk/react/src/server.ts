import type { SessionAnswer } from './session.js'

export type { SessionAnswer, User } from './session.js'

/**
 * Reads, on the app's server, the session of the person that sent request, for
 * initialSession. It calls Signet with the cookies of the request, which the app's server
 * receives if the app and Signet share one origin. Returns undefined if Signet did not
 * answer within 3 s: the page then reads the session itself.
 *
 * @param base the URL of Signet, else TypeError. It is not taken from the Host header,
 * since the sender chooses that header and would receive the cookies.
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

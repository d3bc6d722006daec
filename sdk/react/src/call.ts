import { SignetError } from './session.js'

let base = '/auth'

/**
 * Sets where Signet is: the path of the issuer, or its URL if the issuer is on another
 * host. `<SignetProvider basePath>` calls it. Call it yourself only for code that runs
 * before the first render, such as the loader of a router.
 */
export function configure(basePath: string): void {
  base = basePath.replace(/\/+$/, '')
}

/** Returns the address of one of Signet's paths. */
export const locate = (path: string) => base + path

const isCrossOrigin = () => new URL(base, location.href).origin !== location.origin

/** Cookies are sent to another origin only if Signet itself is on another origin. */
export const credentials = (): RequestCredentials => isCrossOrigin() ? 'include' : 'same-origin'

/** An answer, and the time on Signet's clock: the clock of this machine may be wrong. */
export interface Answer<T> {
  body: T
  now: number // milliseconds
}

/** Calls one of the first-party endpoints. Throws SignetError. */
export async function call<T>(method: 'GET' | 'POST', path: string, content = {}): Promise<Answer<T>> {
  const url = locate(path)
  const called = `${method} ${url}`
  let response: Response | undefined
  let body
  try {
    response = await fetch(url, {
      method, credentials: credentials(), cache: 'no-store', signal: AbortSignal.timeout(10_000),
      ...(method === 'POST' && { headers: { 'Content-Type': 'application/json', 'X-CSRF': '1' }, body: JSON.stringify(content) }),
    })
    const text = await response.text()
    body = text && JSON.parse(text)
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw unanswered(called, cause)
  }
  const { ok, status, headers } = response!
  if (ok && body != null) return { body, now: Date.parse(headers.get('Date')!) || Date.now() }
  const error = body?.error
  if (!error) throw unexpected(called, response)
  throw new SignetError(error, `${called} from ${location.origin} answered ${status} ${error}: ${body.error_description}`,
    +headers.get('Retry-After')! || undefined, { cause: body })
}

const unanswered = (called: string, cause: unknown) =>
  new SignetError('network', called + ' was not answered' + (!navigator.onLine ? ': offline'
    : isCrossOrigin() ? `: is ${location.origin} in first_party.origins?` : ''), undefined, { cause })

/** The error for an answer that does not come from Signet: a proxy answered, or a front-end server sent its index.html. */
export const unexpected = (called: string, response?: Response) =>
  new SignetError('unexpected_answer', `${called} was not answered by Signet` + (response?.status! > 499
    ? ` but ${response!.status} by a proxy (${response!.headers.get('Server') ?? 'Vite?'})`
    : `: is basePath ${base} its path?`))

import { SignetError } from './session.js'

let base = '/auth'

/**
 * Says where Signet is: the path of the issuer, or its URL where that is on another
 * host. `<SignetProvider basePath>` does it; only what runs before the first render,
 * a router's loader for one, needs it earlier.
 */
export function configure(basePath: string): void {
  base = basePath.replace(/\/+$/, '')
}

/** The address of one of Signet's paths. */
export const locate = (path: string) => base + path

const elsewhere = () => new URL(base, location.href).origin !== location.origin

/** Cookies go to another origin only where Signet itself is on another one. */
export const credentials = (): RequestCredentials => elsewhere() ? 'include' : 'same-origin'

/** An answer, and Signet's clock as it answered: that of the machine may be wrong. */
export interface Answer<T> {
  body: T
  now: number // milliseconds
}

/** Calls one of the first-party endpoints. SignetError. */
export async function call<T>(method: 'GET' | 'POST', path: string, content = {}): Promise<Answer<T>> {
  const url = locate(path)
  const what = `${method} ${url}`
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
    if (!(cause instanceof SyntaxError)) throw unanswered(what, cause)
  }
  const { ok, status, headers } = response!
  if (ok && body != null) return { body, now: Date.parse(headers.get('Date')!) || Date.now() }
  const error = body?.error
  if (!error) throw unexpected(what, response)
  throw new SignetError(error, `${what} from ${location.origin} answered ${status} ${error}: ${body.error_description}`,
    +headers.get('Retry-After')! || undefined, { cause: body })
}

const unanswered = (what: string, cause: unknown) =>
  new SignetError('network', what + ' was not answered' + (!navigator.onLine ? ': offline'
    : elsewhere() ? `: is ${location.origin} in first_party.origins?` : ''), undefined, { cause })

/** The answer is none of Signet's: a proxy gives it in Signet's place, or a front-end server shows index.html for it. */
export const unexpected = (what: string, response?: Response) =>
  new SignetError('unexpected_answer', `${what} was not answered by Signet` + (response?.status! > 499
    ? ` but ${response!.status} by a proxy (${response!.headers.get('Server') ?? 'Vite?'})`
    : `: is basePath ${base} its path?`))

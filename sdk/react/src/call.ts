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

/** Cookies go to another origin only where Signet itself is on another one. */
export const credentials = (): RequestCredentials =>
  new URL(base, location.href).origin === location.origin ? 'same-origin' : 'include'

/** An answer, and Signet's clock as it answered: that of the machine may be wrong. */
export interface Answer<T> {
  body: T
  now: number // milliseconds
}

/** Calls one of the first-party endpoints. SignetError. */
export async function call<T>(method: 'GET' | 'POST', path: string): Promise<Answer<T>> {
  const what = `${method} ${locate(path)}`
  const init: RequestInit = {
    method, credentials: credentials(), cache: 'no-store', signal: AbortSignal.timeout(10_000),
  }
  if (method === 'POST') {
    init.headers = { 'Content-Type': 'application/json', 'X-CSRF': '1' }
    init.body = '{}'
  }
  let response
  try {
    response = await fetch(locate(path), init)
  } catch (cause) {
    throw unanswered(what, cause)
  }
  if (!response.ok) throw await refusal(what, response)
  const now = Date.parse(response.headers.get('Date') ?? '') || Date.now()
  if (response.status === 204) return { body: undefined as T, now }
  try {
    return { body: await response.json(), now }
  } catch (cause) {
    throw cause instanceof SyntaxError ? unexpected(what, cause) : unanswered(what, cause)
  }
}

async function refusal(what: string, response: Response): Promise<SignetError> {
  const { error, error_description: text } = await response.json().catch(() => ({}))
  const wait = Number(response.headers.get('Retry-After')) || undefined
  return new SignetError(error ?? 'unexpected_answer', `${what} answered ${response.status} ${error ?? ''}: ${text ?? 'is basePath the path of Signet?'}`, wait)
}

const unanswered = (what: string, cause: unknown) =>
  new SignetError('network', `${what} was not answered`, undefined, { cause })

/** The answer is none of Signet's, as when a front-end server shows index.html for it. */
export const unexpected = (what: string, cause?: unknown) =>
  new SignetError('unexpected_answer', `${what} did not answer as Signet does: is basePath the path of Signet?`, undefined, { cause })

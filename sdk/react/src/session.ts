/**
 * The person who is signed in, as `GET /session` tells. What the person does not have, or
 * the scopes of the app's client do not release, is absent. An app that is told more adds
 * it by module augmentation:
 *
 *     declare module '@signet/react' { interface User { tenant?: string } }
 */
export interface User {
  /** Never reused and never an e-mail address: the key to store things under. */
  sub: string
  /** By the scope `email`; absent unless it is proven, or the client has `--unverified-email`. */
  email?: string
  /** By the scope `profile`, as `picture` is. */
  name?: string
  /** A URL. */
  picture?: string
  /** By the scope `roles`. */
  roles?: string[]
  /** By the scope `groups`. */
  groups?: string[]
}

/** The answer of `GET /session`, and what `initialSession` takes. Times are RFC 3339. */
export type SessionAnswer =
  | { authenticated: true; user: User; expires_at: string; auth_time?: string; amr?: string[] }
  | { authenticated: false }

/** What is known of a person who is signed in. */
export interface SignedInSession {
  user: User
  /** When the access token expires; it is renewed before. */
  expiresAt: Date
  /** When the person last proved who they are; undefined if the upstream they came through does not say. */
  authTime: Date | undefined
  /** By which means (RFC 8176). */
  amr: readonly string[]
}

type Nobody = { [member in keyof SignedInSession]?: undefined }

/**
 * What the app sees. `offline`: Signet could not be asked, for the reason in
 * `error`; it holds the user that was there before, since that is not signed out.
 */
export type Session =
  | ({ status: 'in'; error?: undefined } & SignedInSession)
  | ({ status: 'loading' | 'out'; error?: undefined } & Nobody)
  | ({ status: 'offline'; error: SignetError } & (SignedInSession | Nobody))

/** Signet did not answer, or not as expected. */
export class SignetError extends Error {
  override name = 'SignetError'

  /**
   * @param code `network` (no answer within 10 s), `unexpected_answer`, or the stable
   * code that Signet answered: `temporarily_unavailable`, `cross_origin`, …
   * @param retryAfter seconds that Signet asks to wait
   */
  constructor(readonly code: string, message: string, readonly retryAfter?: number, options?: ErrorOptions) {
    super(message, options)
  }
}

/**
 * The call was not made as the signed-in person. Reasons: `login_required`, nobody
 * is signed in any more; `interaction_required`, the sign-in pages have something to
 * ask first; `body_not_replayable`, the session has been refreshed, but the body was
 * a stream that cannot be sent a second time: make the call anew.
 */
export class SessionExpired extends Error {
  override name = 'SessionExpired'

  constructor(readonly reason: 'login_required' | 'interaction_required' | 'body_not_replayable', options?: ErrorOptions) {
    super(`${reason}: ${reason === 'body_not_replayable' ? 'make the call anew' : 'call signIn()'}`, options)
  }
}

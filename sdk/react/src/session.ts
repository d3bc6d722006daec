/**
 * The signed-in person, as `GET /session` describes them. A member is absent if the person
 * has no such value or the scopes of the app's client do not release it. An app that
 * receives more members adds them by module augmentation:
 *
 *     declare module '@signet/react' { interface User { tenant?: string } }
 */
export interface User {
  /** Never reused and never an email address: use it as the key for the person's data. */
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

/** The answer of `GET /session`, and the value of `initialSession`. Times are RFC 3339. */
export type SessionAnswer =
  | { authenticated: true; user: User; expires_at: string; auth_time?: string; amr?: string[] }
  | { authenticated: false }

/** The session of a signed-in person. */
export interface SignedInSession {
  user: User
  /** When the access token expires; it is renewed before. */
  expiresAt: Date
  /** When the person last proved their identity; undefined if the upstream did not report it. */
  authTime: Date | undefined
  /** The authentication methods used (RFC 8176). */
  amr: readonly string[]
}

type Nobody = { [member in keyof SignedInSession]?: undefined }

/**
 * The state that the app sees. `offline`: Signet could not be reached, for the reason in
 * `error`. The user of the last known state stays, since an outage signs nobody out.
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
 * The call was not made as the signed-in person. Reasons: `login_required`, nobody is
 * signed in any more; `interaction_required`, the person must first answer a question on
 * the sign-in pages; `body_not_replayable`, the session was refreshed, but the body is a
 * stream that cannot be sent twice: make the call again.
 */
export class SessionExpired extends Error {
  override name = 'SessionExpired'

  constructor(readonly reason: 'login_required' | 'interaction_required' | 'body_not_replayable', options?: ErrorOptions) {
    super(`${reason}: ${reason === 'body_not_replayable' ? 'make the call anew' : 'call signIn()'}`, options)
  }
}

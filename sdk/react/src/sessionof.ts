import type { Session, SessionAnswer } from './session.js'

/** Returns the state that an answer of `GET /session` describes. */
export function sessionOf(answer: SessionAnswer): Session {
  if (!answer.authenticated) return { status: 'out' }
  const { user, expires_at, auth_time, amr } = answer
  return { status: 'in', user, expiresAt: new Date(expires_at), authTime: auth_time ? new Date(auth_time) : undefined, amr: amr ?? [] }
}

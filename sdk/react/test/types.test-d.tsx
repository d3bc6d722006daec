// Checked by tsc alone: the types that the package promises, and the uses that they refuse.
import { useSession, type Session } from '@signet/react'

declare module '@signet/react' {
  interface User { tenant: string }
}

export function Roles() {
  const { status, user, expiresAt, error } = useSession()
  if (status === 'in') return `${user.sub} ${user.tenant} ${user.roles?.join()} ${expiresAt.getTime()}`
  // @ts-expect-error: there may be no user
  user.sub
  if (status === 'offline') return `${error.code} ${user?.name}`
  const none: undefined = user
  return none
}

// @ts-expect-error: a session with status in has a user
export const nobody: Session = { status: 'in' }

import { createContext, createElement, useContext, useEffect, useState, useSyncExternalStore, type ReactElement, type ReactNode } from 'react'
import { refresh, signIn, signOut } from './actions.js'
import { configure } from './call.js'
import type { Session, SessionAnswer } from './session.js'
import { sessionOf } from './sessionof.js'
import { current, seed, start, subscribe } from './store.js'

const First = createContext<Session | undefined>(undefined)

export interface SignetProviderProps {
  /** Where Signet is: its path on this origin (default `/auth`), or its URL on a sibling host. */
  basePath?: string
  /** What getSession found as the page was rendered. Without it the session is read first. */
  initialSession?: SessionAnswer | undefined
  children?: ReactNode
}

/** Knows who is signed in, for what is below it. A page has one. */
export function SignetProvider({ basePath, initialSession, children }: SignetProviderProps) {
  const [first] = useState(() => {
    if (basePath !== undefined) configure(basePath)
    const session: Session = initialSession ? sessionOf(initialSession) : { status: 'loading' }
    if (typeof document !== 'undefined') seed(session)
    return session
  })
  useEffect(start, [])
  return createElement(First.Provider, { value: first }, children)
}

/** The session, and what can be done with it. */
export type UseSession = Session & { signIn: typeof signIn; signOut: typeof signOut; refresh: typeof refresh }

const actions = { signIn, signOut, refresh }

/** Tells who is signed in, and follows it. It gives the same object until that changes. */
export function useSession(): UseSession {
  const first = useContext(First)
  if (!first) throw new Error('useSession needs a <SignetProvider>')
  // Not a copy: effects and memos shall see a change only where there is one.
  return Object.assign(useSyncExternalStore(subscribe, current, () => first), actions)
}

/** Shows its children to who is signed in, also while Signet cannot be asked. */
export function SignedIn({ children }: { children?: ReactNode }) {
  return useSession().user ? children as ReactElement : null
}

/** Shows its children to who is known to be signed out. */
export function SignedOut({ children }: { children?: ReactNode }) {
  return useSession().status === 'out' ? children as ReactElement : null
}

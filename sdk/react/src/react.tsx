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
  /** The result of getSession when the server rendered the page. Without it the page reads the session first. */
  initialSession?: SessionAnswer | undefined
  children?: ReactNode
}

/** Provides the session to the components below it. A page has one provider. */
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

/** The session, and the functions that change it. */
export type UseSession = Session & { signIn: typeof signIn; signOut: typeof signOut; refresh: typeof refresh }

const actions = { signIn, signOut, refresh }

/** Returns the current session and rerenders when it changes. The object stays the same until then. */
export function useSession(): UseSession {
  const first = useContext(First)
  if (!first) throw new Error('useSession needs a <SignetProvider>')
  // Not a copy: effects and memos must run only if the session changed.
  return Object.assign(useSyncExternalStore(subscribe, current, () => first), actions)
}

/** Shows its children if somebody is signed in, also while Signet cannot be reached. */
export function SignedIn({ children }: { children?: ReactNode }) {
  return useSession().user ? children as ReactElement : null
}

/** Shows its children if nobody is signed in. */
export function SignedOut({ children }: { children?: ReactNode }) {
  return useSession().status === 'out' ? children as ReactElement : null
}

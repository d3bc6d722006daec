'use client'

export { authFetch, refresh, signIn, signOut } from './actions.js'
export type { Password, SignInOptions } from './actions.js'
export { configure } from './call.js'
export { SignedIn, SignedOut, SignetProvider, useSession } from './react.js'
export type { SignetProviderProps, UseSession } from './react.js'
export * from './session.js'

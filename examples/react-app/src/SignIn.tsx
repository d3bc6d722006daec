import { signIn, type SignetError } from '@signet/react'
import { type FormEvent, useState } from 'react'

/** Offers two ways to sign in: Signet's own page, and this app's password form. */
export function SignIn({ to = wanted() }: { to?: string }) {
  const [problem, setProblem] = useState('')

  const send = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    setProblem('')
    const form = new FormData(event.currentTarget)
    const [username, password] = [String(form.get('username')), String(form.get('password'))]
    try {
      if (await signIn.password({ username, password, returnTo: to })) location.assign(to)
    } catch (error) {
      setProblem(said(error as SignetError))
    }
  }

  return (
    <>
      <h1>Sign in</h1>
      <p><button id="page-sign-in" onClick={() => signIn({ returnTo: to })}>Sign in with Google, GitHub or a password</button></p>
      <form id="password-sign-in" onSubmit={send}>
        {problem && <p role="alert">{problem}</p>}
        <p><label>Email <input name="username" type="email" autoComplete="username" required /></label></p>
        <p><label>Password <input name="password" type="password" autoComplete="current-password" required /></label></p>
        <button>Sign in here</button>
      </form>
    </>
  )
}

/** The app's sentence for each error code. The codes are stable. */
function said({ code, retryAfter }: SignetError): string {
  switch (code) {
    case 'invalid_credentials': return 'The email or the password is not right.'
    case 'too_many_attempts': return `Too many attempts. Try again in ${retryAfter} s.`
    default: return 'Signet was not reached: try again.'
  }
}

/** Returns the page of this app that the person came from. */
function wanted(): string {
  const to = new URL(new URLSearchParams(location.search).get('to') ?? '/', location.origin)
  return to.origin === location.origin ? to.pathname : '/'
}

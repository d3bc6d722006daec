import { signIn } from '@signet/react'
import { type FormEvent, useState } from 'react'

/** Two ways in: Signet's own page, and a password that this app asks for. */
export function SignIn({ to = wanted() }: { to?: string }) {
  const [problem, setProblem] = useState('')

  const send = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    setProblem('')
    const form = new FormData(event.currentTarget)
    try {
      const answer = await fetch('/auth/login', {
        method: 'POST', headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ username: form.get('username'), password: form.get('password') }),
      })
      if (answer.ok) return location.assign(to)
      const refusal = await answer.json()
      if (refusal.error === 'interaction_required') return location.assign(refusal.continue)
      setProblem(refusal.error_description)
    } catch {
      setProblem('Signet was not reached: try again.')
    }
  }

  return (
    <>
      <h1>Sign in</h1>
      <p><button id="page-sign-in" onClick={() => signIn({ returnTo: to })}>Sign in with Google, GitHub or a password</button></p>
      <form id="password-sign-in" onSubmit={send}>
        {problem && <p role="alert">{problem}</p>}
        <p><label>E-mail <input name="username" type="email" autoComplete="username" required /></label></p>
        <p><label>Password <input name="password" type="password" autoComplete="current-password" required /></label></p>
        <button>Sign in here</button>
      </form>
    </>
  )
}

/** The page of this app that the person came from. */
function wanted(): string {
  const to = new URL(new URLSearchParams(location.search).get('to') ?? '/', location.origin)
  return to.origin === location.origin ? to.pathname : '/'
}

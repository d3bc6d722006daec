import { SignedIn, useSession } from '@signet/react'
import { type ReactNode, useState } from 'react'
import { Notes } from './Notes'
import { Profile } from './Profile'
import { SignIn } from './SignIn'

export function App() {
  return (
    <>
      <nav>
        <a href="/">Home</a> <a href="/notes">Notes</a> <a href="/profile">Profile</a> <Who />
      </nav>
      <main>{page(location.pathname)}</main>
    </>
  )
}

function page(path: string): ReactNode {
  switch (path) {
    case '/': return <Home />
    case '/notes': return <Protected><Notes /></Protected>
    case '/profile': return <Protected><Profile /></Protected>
    case '/sign-in': return <SignIn />
    default: return <h1>There is no such page</h1>
  }
}

const Home = () => (
  <>
    <h1>Notes</h1>
    <p>Everybody may read this page. What is on the others is for who is signed in.</p>
  </>
)

/** Shows the signed-in person, on every page. */
function Who() {
  const { status, user, error, signOut } = useSession()
  const [problem, setProblem] = useState('')
  const leave = () => signOut().catch((refusal: Error) => setProblem(refusal.message))
  if (status === 'out') return <a id="sign-in" href={'/sign-in?to=' + encodeURIComponent(location.pathname)}>Sign in</a>
  return (
    <SignedIn>
      <span id="who">{user?.email}</span> <button id="sign-out" onClick={leave}>Sign out</button>
      {(error || problem) && <span role="alert">{error?.message ?? problem}</span>}
    </SignedIn>
  )
}

/** Shows its children to signed-in people, and the sign-in link to others. */
function Protected({ children }: { children: ReactNode }) {
  const { status, user, error } = useSession()
  if (user) return children
  if (status === 'out') return <SignIn to={location.pathname} />
  return <p id="waiting">{error ? 'Signet cannot be reached: ' + error.message : 'One moment…'}</p>
}

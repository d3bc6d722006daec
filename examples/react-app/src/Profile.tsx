import { useSession } from '@signet/react'

/** Shows the person's data as the app knows it. The person changes it on Signet's pages. */
export function Profile() {
  const { user, authTime, amr } = useSession()
  return (
    <>
      <h1>Your profile</h1>
      <dl>
        <dt>Name</dt><dd>{user?.name || '–'}</dd>
        <dt>Email</dt><dd>{user?.email}</dd>
        <dt>Subject</dt><dd><code>{user?.sub}</code></dd>
        <dt>Signed in</dt><dd>{authTime?.toLocaleString() ?? 'at an unknown time'} by {amr?.join(', ')}</dd>
      </dl>
      <p><a href="/auth/account/profile">Change your profile</a></p>
      <p><a href="/auth/account/sessions">Your sessions: where you are signed in, and sign out everywhere</a></p>
    </>
  )
}

import { SignedIn, SignedOut, SignetProvider, useSession, type SignetProviderProps } from '@signet/react'

interface Props { config: Omit<SignetProviderProps, 'children'>; saw?: (text: string) => void }

export function App({ config, saw }: Props) {
  return <SignetProvider {...config}><Status saw={saw} /></SignetProvider>
}

function Status({ saw = () => {} }: { saw?: Props['saw'] }) {
  const session = useSession()
  saw(session.status)
  return (
    <main>
      <p id="status">{session.status}</p>
      <p id="error">{session.error?.code ?? ''}</p>
      <p id="expires">{session.expiresAt?.toISOString() ?? ''}</p>
      <SignedIn><p id="name">{session.user?.name}</p></SignedIn>
      <SignedOut><p id="nobody">signed out</p></SignedOut>
    </main>
  )
}

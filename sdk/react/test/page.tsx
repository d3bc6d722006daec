import { useEffect } from 'react'
import { SignedIn, SignedOut, SignetProvider, useSession, type SignetProviderProps } from '@signet/react'

interface Props {
  config: Omit<SignetProviderProps, 'children'>
  saw?: (text: string) => void
  changed?: (what: 'session' | 'user') => void // called by an effect that depends on the object
}

export function App({ config, ...told }: Props) {
  return <SignetProvider {...config}><Status {...told} /></SignetProvider>
}

function Status({ saw = () => {}, changed = () => {} }: Omit<Props, 'config'>) {
  const session = useSession()
  saw(session.status)
  useEffect(() => changed('session'), [session, changed])
  useEffect(() => changed('user'), [session.user, changed])
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

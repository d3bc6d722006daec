import { SignetProvider } from '@signet/react'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './App'

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <SignetProvider basePath="/auth">
      <App />
    </SignetProvider>
  </StrictMode>,
)

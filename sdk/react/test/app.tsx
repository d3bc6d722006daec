// The app that the tests open in a browser. It records each state that it showed in window.seen.
import { StrictMode } from 'react'
import { createRoot, hydrateRoot } from 'react-dom/client'
import * as signet from '@signet/react'
import { App } from './page.js'

declare global {
  interface Window {
    config: Omit<signet.SignetProviderProps, 'children'>
    seen: string[]
    changes: string[]
    complaints: string[]
    signet: typeof signet
  }
}

window.seen = []
window.changes = []
const saw = (text: string) => { window.seen.push(text) }
const changed = (what: string) => { window.changes.push(what) }
window.complaints = []
window.signet = signet
const root = document.getElementById('root')!
const app = <StrictMode><App config={window.config} saw={saw} changed={changed} /></StrictMode>
const onRecoverableError = (error: unknown) => window.complaints.push(String(error))
if (root.hasChildNodes()) hydrateRoot(root, app, { onRecoverableError })
else createRoot(root).render(app)

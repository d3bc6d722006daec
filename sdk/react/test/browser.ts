import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'
import { build } from 'vite'
import { expect } from 'vitest'
import type { Signet } from './signet.js'

/** Makes one script of an entry, as an app's own build would. */
export async function bundle(entry: string, options: { minify?: boolean; external?: RegExp[] } = {}): Promise<string> {
  const built = await build({
    root: fileURLToPath(new URL('..', import.meta.url)), configFile: false, logLevel: 'error', mode: 'development',
    define: { 'process.env.NODE_ENV': '"development"' },
    build: {
      write: false, minify: options.minify ?? false, target: 'es2022',
      // Not as a library: Vite does not minify the white space of libraries.
      rolldownOptions: { input: entry, external: options.external ?? [], preserveEntrySignatures: 'strict' },
    },
  })
  const [output] = Array.isArray(built) ? built : [built]
  if (!output || !('output' in output)) throw new Error('vite built nothing')
  return output.output[0].code
}

/** Starts Chromium with its back/forward cache, which Playwright switches off. */
export function launch(): Promise<Browser> {
  const paths = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
  const executablePath = paths.find(path => existsSync(path))
  if (!executablePath) throw new Error('there is no Chromium: make test installs it on Debian')
  return chromium.launch({ executablePath, ignoreDefaultArgs: ['--disable-back-forward-cache'], args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-sync', '--no-first-run'] })
}

/** Opens the app as a tab of context, and waits until it shows status. */
export async function tab(context: BrowserContext, signet: Signet, status?: string): Promise<Page> {
  const page = await context.newPage()
  page.setDefaultTimeout(10_000)
  await page.goto(signet.origin + '/')
  if (status) await shows(page, status)
  return page
}

export async function shows(page: Page, status: string): Promise<void> {
  await expect.poll(() => text(page, '#status'), { timeout: 8_000, interval: 20 }).toBe(status)
}

/** Returns the text of an element, or undefined if there is no such element. */
export const text = async (page: Page, selector: string) =>
  (await page.locator(selector).allTextContents().catch(() => []))[0]

/** Calls the API n times at once, and returns the statuses or the thrown errors. */
export const callApi = (page: Page, n = 1) => page.evaluate(n => Promise.all(Array.from({ length: n }, () =>
  window.signet.authFetch('/api').then(r => String(r.status), e => `${e.name} ${e.reason ?? e.code}`))), n)

/** Hides or shows the tab, by the events that a browser sends to its page. */
export const setVisible = (page: Page, visible: boolean) => page.evaluate(state => {
  Object.defineProperty(document, 'visibilityState', { value: state, configurable: true })
  document.dispatchEvent(new Event('visibilitychange'))
}, visible ? 'visible' : 'hidden')

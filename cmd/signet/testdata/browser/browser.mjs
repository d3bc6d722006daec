// Functions that the browser programs share. A program reads a job from stdin as JSON, uses the
// installed Chromium, and writes a report to stdout as JSON. It only reports: the Go test that
// starts it decides whether the report is right.
import { readFileSync } from 'node:fs'
import { chromium } from 'playwright-core'

// run reads the job, starts the browser, calls story with both, and prints its report.
export async function run(story, { args = [], ...options } = {}) {
  const job = JSON.parse(readFileSync(0, 'utf8'))
  const browser = await chromium.launch({
    executablePath: job.chromium,
    // No sandbox, because CI runs as root in a container. All requests stay on loopback.
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--no-first-run',
      '--host-resolver-rules=MAP *.example.com 127.0.0.1, MAP *.example.net 127.0.0.1', ...args],
    ...options,
  })
  try {
    console.log(JSON.stringify(await story(browser, job)))
  } finally {
    await browser.close()
  }
}

// open starts a new browser profile with one page. It adds to complaints each script error,
// each error or warning on the console, and each request to a host outside loopback.
export async function open(browser, options = {}) {
  const context = await browser.newContext({ locale: 'en-GB', ...options })
  context.setDefaultTimeout(20_000)
  const page = await context.newPage()
  const complaints = []
  page.on('pageerror', error => complaints.push(`script error: ${error.message}`))
  page.on('console', message => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(`console: ${message.text()}`)
  })
  page.on('request', request => {
    const { protocol, hostname } = new URL(request.url())
    if (protocol !== 'data:' && !['localhost', '127.0.0.1'].includes(hostname)) complaints.push(`foreign host: ${request.url()}`)
  })
  return { context, page, complaints }
}

// fillSignIn fills in the sign-in form. The caller submits the form.
export async function fillSignIn(page, { email, password }) {
  await page.locator('form#login #username').fill(email)
  await page.locator('form#login #password').fill(password)
}

// signIn fills in the sign-in form and submits it with its button.
export async function signIn(page, job) {
  await fillSignIn(page, job)
  await page.locator('#sign-in').click()
}

// readable lists the data that the browser stores for the page and that a script of the page can
// read: cookies, storage, databases and caches.
export function readable(page) {
  return page.evaluate(async () => {
    const stored = { cookies: document.cookie, local: { ...localStorage }, session: { ...sessionStorage },
      databases: await indexedDB.databases(), caches: await caches.keys() }
    return Object.entries(stored).filter(([, value]) => Object.keys(value).length).map(entry => JSON.stringify(entry))
  })
}

// codeVerifier and codeChallenge are from the example in RFC 7636, appendix B.
export const codeVerifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
export const codeChallenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'

// tokens reads the decoded tokens that the demo page shows.
export async function tokens(page) {
  const read = []
  for (const section of await page.locator('section[id^=token-]').all()) {
    const [header, claims] = await section.locator('> pre').allInnerTexts()
    read.push({
      name: await section.locator('h2').innerText(),
      checked: await section.locator('p').first().innerText(),
      header: JSON.parse(header),
      claims: JSON.parse(claims),
    })
  }
  return read
}

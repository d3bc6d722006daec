// What the browser programs share: a job comes in on stdin as JSON, a report goes
// out on stdout as JSON, and in between stands the Chromium that is installed.
// The programs only look and report; the Go tests that start them judge.
import { readFileSync } from 'node:fs'
import { chromium } from 'playwright-core'

// run reads the job, opens the browser, hands both to story and prints its report.
export async function run(story, { args = [], ...options } = {}) {
  const job = JSON.parse(readFileSync(0, 'utf8'))
  const browser = await chromium.launch({
    executablePath: job.chromium,
    // No sandbox: CI is root in a container. Nothing here leaves loopback.
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

// open starts a browser profile of its own with one page. What the page complains
// about, and every request to another host than those of loopback, is noted in
// complaints.
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

// fillSignIn types into the sign-in form and leaves the sending to the caller.
export async function fillSignIn(page, { email, password }) {
  await page.locator('form#login #username').fill(email)
  await page.locator('form#login #password').fill(password)
}

// signIn sends the form with its button.
export async function signIn(page, job) {
  await fillSignIn(page, job)
  await page.locator('#sign-in').click()
}

// readable gives what a script of the page can read of what the browser keeps for it.
export function readable(page) {
  return page.evaluate(async () => {
    const kept = { cookies: document.cookie, local: { ...localStorage }, session: { ...sessionStorage },
      databases: await indexedDB.databases(), caches: await caches.keys() }
    return Object.entries(kept).filter(([, value]) => Object.keys(value).length).map(entry => JSON.stringify(entry))
  })
}

// codeVerifier and codeChallenge are the example of RFC 7636, appendix B.
export const codeVerifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
export const codeChallenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'

// tokens reads the decoded tokens off the page, as a person would.
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

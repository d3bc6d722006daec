// Visits every page that a person can open, and reports the accessibility problems and the
// size of each page.
import { codeChallenge, open, run, signIn } from './browser.mjs'
import { loadAxe, pictures, problemsOf, weightOf } from './judge.mjs'

run(async (browser, job) => {
  const { page, complaints } = await open(browser)
  await loadAxe(page)
  const report = { pages: [], complaints }
  await walk(page, job, async title => {
    const weight = await weightOf(page)
    const problems = await problemsOf(page, job.every ? undefined : report.pages.length, pictures(job.screenshots, title))
    report.pages.push({ title, ...weight, problems })
  })
  return report
})

// walk visits the pages in the order in which a person can reach them.
async function walk(page, job, judge) {
  const authorize = parameters => `${job.issuer}/authorize?${new URLSearchParams({
    client_id: 'demo', redirect_uri: `${job.issuer}/demo/callback`, response_type: 'code', scope: 'openid profile email offline_access',
    state: 'accessibility', code_challenge: codeChallenge, code_challenge_method: 'S256', ...parameters,
  })}`

  await page.goto(`${job.issuer}/`)
  await judge('home')
  await page.goto(`${job.issuer}/demo`)
  await judge('demo before')
  await page.locator('#demo-sign-in').click()
  await page.locator('#sign-in').waitFor()
  await judge('sign in')
  await signIn(page, { ...job, password: 'not the password' })
  await page.locator('[role=alert]').waitFor()
  await judge('sign in, refused')

  await page.goto(authorize())
  await page.locator('#connector-google').click()
  await page.locator('#deny').click()
  await page.locator('#start').waitFor()
  await judge('error, denied upstream')
  await page.locator('#start').click()
  await page.locator('#connector-google').click()
  await page.locator('#account-demo').click()
  await page.locator('#back').waitFor()
  await judge('prove')
  await page.locator('#password').fill(job.password)
  await page.locator('#sign-in').click()
  await page.locator('#not-now').waitFor()
  await judge('connect')
  await page.locator('#not-now').click()
  await page.locator('#allow').waitFor()

  await page.goto(authorize({ prompt: 'login consent' }))
  await signIn(page, job)
  await page.locator('#allow').waitFor()
  await judge('consent')
  await withoutRefresh(page, '**/consent')
  await page.locator('#deny').click()
  await page.locator('#continue').waitFor()
  await judge('continue')
  await page.locator('#continue').click()
  await page.waitForURL(`${job.issuer}/demo**`)
  await judge('demo, denied')

  await page.goto(authorize({ prompt: 'select_account' }))
  await page.locator('#continue').waitFor()
  await judge('account choice')
  await page.goto(authorize({ prompt: 'login' }))
  await page.locator('#sign-in').waitFor()
  await judge('sign in again')

  await page.goto(`${job.issuer}/demo`)
  await page.locator('#demo-sign-in').click()
  const allow = page.locator('#allow')
  await allow.or(page.locator('#userinfo')).waitFor()
  if (await allow.isVisible()) await allow.click()
  await page.locator('#userinfo').waitFor()
  await judge('demo after')
  await page.goto(`${job.issuer}/`)
  await judge('home, signed in')

  const device = await startDevice(job)
  await page.goto(device.verification_uri)
  await page.locator('#continue').waitFor()
  await judge('device, code')
  await page.locator('#user_code').fill('BCDF-GHJK')
  await page.locator('#continue').click()
  await page.locator('#problem').waitFor()
  await judge('device, wrong code')
  await page.goto(device.verification_uri_complete)
  await page.locator('#continue').click()
  await page.locator('#allow').waitFor()
  await judge('device, compare')
  await page.locator('#deny').click()
  await page.locator('#answered').waitFor()
  await judge('device, denied')
  await page.goto((await startDevice(job)).verification_uri_complete)
  await page.locator('#continue').click()
  await page.locator('#allow').click()
  await page.locator('#answered').waitFor()
  await judge('device, allowed')

  for (const path of job.accountPages) {
    await page.goto(job.issuer + path)
    await judge(titleOf(path))
  }
  await page.goto(`${job.issuer}/admin`)
  await judge('error, no administrator')
  await page.goto(`${job.issuer}/account/apps`)
  await page.locator('#apps button').first().click()
  await page.locator('#confirm').waitFor()
  await judge('account withdraw')
  await page.goto(`${job.issuer}/account/sessions`)
  await page.locator('#end-all').click()
  await page.locator('#confirm').waitFor()
  await judge('account sign out everywhere')

  await page.goto(authorize({ client_id: 'nobody' }))
  await judge('error, unknown client')
  await page.goto(authorize({ redirect_uri: `${job.issuer}/elsewhere` }))
  await judge('error, wrong redirect')
  await page.goto(`${job.issuer}/nowhere`)
  await judge('error, no such page')

  await page.goto(`${job.issuer}/end_session`)
  await page.locator('#allow').waitFor()
  await judge('sign out')
  await page.locator('#allow').click()
  await page.getByRole('heading', { name: 'signed out' }).waitFor()
  await judge('signed out')

  await page.goto(`${job.issuer}/reset`)
  await judge('reset')
  await page.locator('#email').fill(job.email)
  await page.locator('form#reset button').click()
  await page.waitForURL('**/reset?done=mail')
  await judge('reset, mailed')
  const link = page.locator('a[href*="/link/reset?"]')
  while (await link.count() === 0) await page.goto(`${job.issuer}/dev/mail`)
  await judge('mails')
  const target = new URL(await link.getAttribute('href'), job.issuer).href
  await page.goto(target)
  await judge('new password')
  await page.locator('#new-password').fill('a new password for a walk')
  await page.locator('#set-password').click()
  await page.waitForURL('**/reset?done=password')
  await judge('reset, done')
  await page.goto(target)
  await judge('error, used link')

  await page.goto(`${job.issuer}/admin`)
  await signIn(page, job.admin)
  await page.locator('#admin').waitFor()
  for (const path of job.adminPages) {
    await page.goto(job.issuer + path)
    await judge(titleOf(path))
  }
  await page.goto(`${job.issuer}/admin/connectors`)
  await page.getByRole('button', { name: 'Test Google' }).click()
  await page.locator('#test-result').waitFor()
  await judge('admin connectors, tested')
  await page.goto(`${job.issuer}/admin/keys`)
  await page.locator('#rotate').click()
  await page.locator('#not-ready').waitFor()
  await judge('admin keys, rotate too early')
  await page.goto(`${job.issuer}/admin/keys`)
  await page.getByRole('link', { name: 'Revoke…' }).first().click()
  await page.locator('#confirm').fill('not the kid')
  await page.locator('#revoke').click()
  await page.locator('#problem').waitFor()
  await judge('admin keys, revoke mistyped')
}

// startDevice asks for a code as a device does (RFC 8628, section 3.1).
async function startDevice(job) {
  const answer = await fetch(`${job.issuer}/device_authorization`, { method: 'POST', body: new URLSearchParams({ client_id: job.device, scope: 'openid email' }) })
  return answer.json()
}

// titleOf returns the path of a page as words: "account profile".
function titleOf(path) {
  return path.slice(1).replaceAll('/', ' ')
}

// withoutRefresh removes the Refresh header from the answer to the next form. The page stays
// and shows its link, as in a browser that does not follow Refresh.
async function withoutRefresh(page, path) {
  await page.route(path, async route => {
    // route.fetch does not send the Sec-Fetch-Site header of the browser: add it.
    const sent = { ...route.request().headers(), 'sec-fetch-site': 'same-origin' }
    const response = await route.fetch({ maxRedirects: 0, headers: sent })
    const { refresh, ...headers } = response.headers()
    await route.fulfill({ response, headers })
  }, { times: 1 })
}

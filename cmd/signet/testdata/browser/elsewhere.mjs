// A person signs in through an upstream that is a whole provider of its own
// (job.upstream says which): is denied, comes for the first time, comes again,
// proves again who it is, and meets the upstream's absence. What the application
// gets is read off its callback.
import { codeChallenge, codeVerifier, open, run, signIn } from './browser.mjs'

// there is what a person does at each upstream.
const there = {
  'oidc-provider': {
    asks: '#name',
    async enter(page, job) {
      await page.locator('#name').fill(job.name)
      await page.locator('#enter').click()
    },
    deny: page => page.locator('#cancel').click(),
  },
  signet: {
    asks: 'form#login #password',
    enter: (page, job) => signIn(page, { email: job.name, password: job.password }),
    async deny(page, job) {
      await signIn(page, { email: job.name, password: job.password })
      await page.locator('#deny').click()
    },
    allow: page => page.locator('#allow').click(),
  },
}

run(async (browser, job) => {
  const { page, complaints } = await open(browser)
  const upstream = there[job.upstream]
  const report = { visits: {} }
  const at = where => page.waitForURL(url => url.href.startsWith(where))

  // to asks for a sign-in at the application and stops at Signet's form.
  const to = async parameters => {
    await page.goto(`${job.issuer}/authorize?${new URLSearchParams({
      client_id: job.client_id, redirect_uri: job.callback, response_type: 'code', scope: 'openid email', state: 'elsewhere',
      code_challenge: codeChallenge, code_challenge_method: 'S256', ...parameters,
    })}`)
    await page.locator('#connector-elsewhere').waitFor()
  }
  const leave = () => page.locator('#connector-elsewhere').click()
  // arrived allows what Signet asks, if it does, and redeems the code.
  const arrived = async () => {
    const visit = { asked: 0 }
    await page.waitForURL(url => url.href.startsWith(`${job.issuer}/consent`) || url.href.startsWith(job.callback))
    if (page.url().startsWith(`${job.issuer}/consent`)) {
      visit.asked = 1
      await page.locator('#allow').click()
      await at(job.callback)
    }
    const answer = await fetch(`${job.issuer}/token`, {
      method: 'POST',
      headers: { Authorization: `Basic ${btoa(`${job.client_id}:${job.client_secret}`)}` },
      body: new URLSearchParams({
        grant_type: 'authorization_code', code: new URL(page.url()).searchParams.get('code'), redirect_uri: job.callback, code_verifier: codeVerifier,
      }),
    })
    const { id_token: token, access_token: access } = await answer.json()
    visit.claims = JSON.parse(atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/')))
    visit.userinfo = await (await fetch(`${job.issuer}/userinfo`, { headers: { Authorization: `Bearer ${access}` } })).json()
    return visit
  }
  const signOut = async () => {
    await page.goto(`${job.issuer}/end_session`)
    await page.locator('#allow').click()
    await page.getByRole('heading', { name: 'signed out' }).waitFor()
  }

  await to({})
  await leave()
  await page.locator(upstream.asks).waitFor()
  await at(job.elsewhere)
  await upstream.deny(page, job)
  await at(job.issuer)
  report.denied = await page.locator('main').innerText()
  await page.locator('#start').click()

  await leave()
  await at(job.elsewhere)
  if (job.upstream === 'signet') await upstream.allow(page) // signed in there since the denial
  else await upstream.enter(page, job)
  report.visits.first = await arrived()
  await signOut()

  await to({})
  report.button = await page.locator('button.connector').innerText()
  await leave()
  report.visits.second = await arrived()

  // Signed in at both: with prompt=login both ask all the same.
  await fetch(`${job.clock}?seconds=2`)
  await to({ prompt: 'login' })
  await leave()
  await page.locator(upstream.asks).waitFor()
  await at(job.elsewhere)
  await upstream.enter(page, job)
  report.visits.fresh = await arrived()
  await signOut()

  // A day later, what was remembered of the upstream is old, and it is gone.
  await fetch(job.stop)
  await fetch(`${job.clock}?seconds=86400`)
  await to({})
  await leave()
  await page.locator('#start').waitFor()
  report.down = await page.locator('main').innerText()
  await page.locator('#start').click()
  await signIn(page, { email: job.email, password: job.own })
  report.visits.password = await arrived()

  report.complaints = complaints
  return report
})

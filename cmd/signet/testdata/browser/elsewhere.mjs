// A person signs in through an upstream that is a complete provider (job.upstream names it). The
// first attempt is denied. Then the person signs in for the first time, a second time, and with
// prompt=login. Finally the upstream is down. The program acts as the application: it redeems
// the code of each callback.
import { codeChallenge, codeVerifier, open, run, signIn } from './browser.mjs'

// upstreams holds the actions of a person at each upstream.
const upstreams = {
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
  const upstream = upstreams[job.upstream]
  const report = { visits: {} }
  const at = where => page.waitForURL(url => url.href.startsWith(where))

  // openSignIn sends an authorization request and waits for the sign-in form of Signet.
  const openSignIn = async parameters => {
    await page.goto(`${job.issuer}/authorize?${new URLSearchParams({
      client_id: job.client_id, redirect_uri: job.callback, response_type: 'code', scope: 'openid email', state: 'elsewhere',
      code_challenge: codeChallenge, code_challenge_method: 'S256', ...parameters,
    })}`)
    await page.locator('#connector-elsewhere').waitFor()
  }
  const chooseUpstream = () => page.locator('#connector-elsewhere').click()
  // allowAndRedeem allows the consent, if Signet asks for it, and redeems the code.
  const allowAndRedeem = async () => {
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

  await openSignIn({})
  await chooseUpstream()
  await page.locator(upstream.asks).waitFor()
  await at(job.elsewhere)
  await upstream.deny(page, job)
  await at(job.issuer)
  report.denied = await page.locator('main').innerText()
  await page.locator('#start').click()

  await chooseUpstream()
  await at(job.elsewhere)
  if (job.upstream === 'signet') await upstream.allow(page) // the person is signed in there since the denied attempt
  else await upstream.enter(page, job)
  report.visits.first = await allowAndRedeem()
  await signOut()

  await openSignIn({})
  report.button = await page.locator('button.connector').innerText()
  await chooseUpstream()
  report.visits.second = await allowAndRedeem()

  // The person is signed in at both. With prompt=login both ask for a sign-in anyway.
  await fetch(`${job.clock}?seconds=2`)
  await openSignIn({ prompt: 'login' })
  await chooseUpstream()
  await page.locator(upstream.asks).waitFor()
  await at(job.elsewhere)
  await upstream.enter(page, job)
  report.visits.fresh = await allowAndRedeem()
  await signOut()

  // A day later the upstream is down, and its cached metadata has expired.
  await fetch(job.stop)
  await fetch(`${job.clock}?seconds=86400`)
  await openSignIn({})
  await chooseUpstream()
  await page.locator('#start').waitFor()
  report.down = await page.locator('main').innerText()
  await page.locator('#start').click()
  await signIn(page, { email: job.email, password: job.own })
  report.visits.password = await allowAndRedeem()

  report.complaints = complaints
  return report
})

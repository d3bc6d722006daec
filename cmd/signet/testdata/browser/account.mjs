// A person uses the account pages: edits the profile, lists and ends sessions, removes the
// access of an app, signs in again, changes the password, and signs out everywhere. The same
// person also uses a second browser. The URL job.clock moves the clock of the server.
import { open, run, signIn } from './browser.mjs'

run(async (browser, job) => {
  const options = { javaScriptEnabled: job.javascript }
  const { context, page, complaints } = await open(browser, options)
  const other = await open(browser, options)
  const report = {}
  const account = path => page.goto(`${job.issuer}/account${path}`)
  const text = async where => (await page.locator(where).innerText()).trim()

  await account('/profile')
  report.asked = await page.locator('form#login').count()
  await signIn(page, job)
  await page.locator('form#profile').waitFor()
  await page.locator('#profile [name=name]').fill('Demo <b>Person</b>')
  await page.locator('#save').click()
  await page.locator('[role=status]').waitFor()
  report.name = await page.locator('#profile [name=name]').inputValue()

  await other.page.goto(`${job.issuer}/account`)
  await signIn(other.page, job)
  await other.page.locator('#account').waitFor()
  await account('/sessions')
  report.sessions = await page.locator('#sessions > li').count()
  report.thisDevice = await page.locator('#sessions .badge').count()
  await page.locator('#end-others').click()
  await page.locator('[role=status]').waitFor()
  report.sessionsLeft = await page.locator('#sessions > li').count()
  await other.page.goto(`${job.issuer}/account`)
  report.otherIsOut = await other.page.locator('form#login').count()

  await page.goto(`${job.issuer}/demo`)
  await page.locator('#demo-sign-in').click()
  await page.locator('#allow').click()
  await page.locator('#userinfo').waitFor()
  report.demoName = JSON.parse(await text('#userinfo')).name
  await account('/apps')
  report.apps = await text('#apps')
  await page.locator('#apps button').first().click()
  await page.locator('#confirm').click()
  await page.locator('[role=status]').waitFor()
  report.appsLeft = await text('#apps')
  await page.goto(`${job.issuer}/demo`)
  await page.locator('#demo-refresh').click()
  await page.locator('#demo-sign-in').waitFor()
  report.demoAfter = await text('main')

  // After six minutes the password page asks for a new sign-in.
  await fetch(`${job.clock}?seconds=360`)
  await account('/password')
  report.stepUp = await text('h1')
  report.why = await text('#why')
  await page.locator('#cancel').click()
  await page.locator('#account').waitFor()
  await account('/password')
  await signIn(page, job)
  await page.locator('#password-form').waitFor()

  // The form was open for too long: after a new sign-in, one button connects the account.
  await account('/identities')
  await fetch(`${job.clock}?seconds=360`)
  await page.locator('#link-github').click()
  report.interrupted = await text('#why')
  await signIn(page, job)
  await page.locator('#confirm').click()
  await page.locator('#account-octo').click()
  await page.locator('[role=status]').waitFor()
  report.finished = await text('#identities')
  await account('/password')
  await page.locator('#password-form').waitFor()
  const change = async (current, next) => {
    await page.locator('#current-password').fill(current)
    await page.locator('#new-password').fill(next)
    await page.locator('#change-password').click()
  }
  await change('not the password', job.next)
  await page.locator('[role=alert]').waitFor()
  report.refused = await text('[role=alert]')
  await change(job.password, job.next)
  await page.locator('[role=status]').waitFor()
  report.changed = await text('[role=status]')

  await account('/sessions')
  await page.locator('#end-all').click()
  await page.locator('#confirm').click()
  await page.getByRole('heading', { name: 'signed out' }).waitFor()
  await account('')
  report.out = await page.locator('form#login').count()
  await signIn(page, { ...job, password: job.next })
  await page.locator('#account').waitFor()
  report.in = (await context.cookies()).filter(c => c.name === 'signet').length

  report.complaints = [...complaints, ...other.complaints]
  return report
})

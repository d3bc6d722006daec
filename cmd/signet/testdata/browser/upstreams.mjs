// People sign in at the demo through the pretend Google and GitHub of `signet dev`:
// for the first time, again, to an account that has a password already, and not at
// all; and connect and disconnect them on the account page.
import { open, run, signIn, tokens } from './browser.mjs'

run(async (browser, job) => {
  const { context, page, complaints } = await open(browser, { javaScriptEnabled: job.javascript })
  const report = { visits: {} }
  const text = async where => (await page.locator(where).innerText()).trim()

  // to goes to the sign-in page and notes its buttons.
  const to = async name => {
    await page.goto(`${job.issuer}/demo`)
    await page.locator('#demo-sign-in').click()
    await page.locator('form#login').waitFor()
    report.visits[name] = { buttons: await page.locator('button.connector').allInnerTexts() }
  }
  // through presses a connector's button and chooses an account there.
  const through = async (connector, account) => {
    await page.locator(`#connector-${connector}`).click()
    await page.locator(account).click()
  }
  // arrived allows what is asked, if it is, and notes what the demo got.
  const arrived = async name => {
    const allow = page.locator('#allow')
    await allow.or(page.locator('#userinfo')).waitFor()
    report.visits[name].asked = await allow.count()
    if (report.visits[name].asked) await allow.click()
    await page.locator('#userinfo').waitFor()
    report.visits[name].claims = (await tokens(page))[0].claims
    report.visits[name].userinfo = JSON.parse(await text('#userinfo'))
  }
  const signOut = async () => {
    await page.goto(`${job.issuer}/demo`)
    await page.locator('#demo-sign-out').click()
    await page.locator('#demo-sign-in').waitFor()
  }
  const visit = async (name, connector, account) => {
    await to(name)
    await through(connector, account)
    await arrived(name)
    await signOut()
  }

  await visit('google', 'google', '#account-ada')
  await visit('github', 'github', '#account-octo')
  await visit('again', 'github', '#account-octo')

  // Denied there: a page that leads back to where the other ways are.
  await to('denied')
  await through('google', '#deny')
  report.denied = await text('main')
  await page.locator('#start').click()
  await page.locator('form#login').waitFor()

  // The address has an account here: its password first, then both open it.
  await through('google', '#account-demo')
  report.prove = await text('main')
  await page.locator('#password').fill('not the password')
  await page.locator('#sign-in').click()
  await page.locator('[role=alert]').waitFor()
  report.refused = await text('[role=alert]')
  await page.locator('#password').fill(job.password)
  await page.locator('#sign-in').click()
  report.connect = await text('main')
  await page.locator('#connect').click()
  report.visits.proven = { buttons: [] }
  await arrived('proven')
  await signOut()
  await visit('proven again', 'google', '#account-demo')
  await to('password')
  await signIn(page, job)
  await arrived('password')

  // Connected and disconnected on the account page.
  const rows = page.locator('#identities > li')
  const identities = async () => {
    await page.locator('[role=status]').waitFor()
    return (await rows.allInnerTexts()).map(row => row.split('\n')[0])
  }
  await page.goto(`${job.issuer}/account/identities`)
  await page.locator('#link-github').click()
  await page.locator('#account-big').click()
  report.linked = await identities()
  await rows.filter({ hasText: 'Google' }).getByRole('button').click()
  report.unlinked = await identities()
  await signOut()
  await visit('linked', 'github', '#account-big')

  report.cookies = await context.cookies()
  report.complaints = complaints
  return report
})

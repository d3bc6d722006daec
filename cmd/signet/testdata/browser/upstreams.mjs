// People sign in at the demo through the simulated Google and GitHub of `signet dev`: for the first
// time, again, and with the email address of an account that has a password. One sign-in is
// denied. On the account page they connect and disconnect Google and GitHub.
import { open, run, signIn, tokens } from './browser.mjs'

run(async (browser, job) => {
  const { context, page, complaints } = await open(browser, { javaScriptEnabled: job.javascript })
  const report = { visits: {} }
  const text = async where => (await page.locator(where).innerText()).trim()

  // openSignIn opens the sign-in page and reports its connector buttons.
  const openSignIn = async name => {
    await page.goto(`${job.issuer}/demo`)
    await page.locator('#demo-sign-in').click()
    await page.locator('form#login').waitFor()
    report.visits[name] = { buttons: await page.locator('button.connector').allInnerTexts() }
  }
  // signInWith presses the button of a connector and chooses an account there.
  const signInWith = async (connector, account) => {
    await page.locator(`#connector-${connector}`).click()
    await page.locator(account).click()
  }
  // allowAndReadTokens allows the consent, if Signet asks for it, and reports the claims and
  // userinfo that the demo shows.
  const allowAndReadTokens = async name => {
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
    await openSignIn(name)
    await signInWith(connector, account)
    await allowAndReadTokens(name)
    await signOut()
  }

  await visit('google', 'google', '#account-ada')
  await visit('github', 'github', '#account-octo')
  await visit('again', 'github', '#account-octo')

  // Denied at Google: Signet shows a page with a link back to the sign-in form.
  await openSignIn('denied')
  await signInWith('google', '#deny')
  report.denied = await text('main')
  await page.locator('#start').click()
  await page.locator('form#login').waitFor()

  // The email address already has an account. After its password, Google and the password both
  // sign in to the account.
  await signInWith('google', '#account-demo')
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
  await allowAndReadTokens('proven')
  await signOut()
  await visit('proven again', 'google', '#account-demo')
  await openSignIn('password')
  await signIn(page, job)
  await allowAndReadTokens('password')

  // Connect and disconnect on the account page.
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

// A person opens the demo of `signet dev`, signs in, consents, and reads the decoded tokens. If
// job.javascript is false, the browser runs no scripts.
import { fillSignIn, open, run, signIn, tokens } from './browser.mjs'

run(async (browser, job) => {
  const { context, page, complaints } = await open(browser, { javaScriptEnabled: job.javascript })
  const report = { titles: [] }
  const look = async () => report.titles.push(await page.title())

  await page.goto(`${job.issuer}/demo`)
  await look()
  await page.locator('#demo-sign-in').click()
  await look()

  await signIn(page, { ...job, password: 'not the password' })
  await page.locator('[role=alert]').waitFor()
  report.refused = {
    alert: (await page.locator('[role=alert]').innerText()).trim(),
    username: await page.locator('#username').inputValue(),
    password: await page.locator('#password').inputValue(),
    invalid: await page.locator('[aria-invalid=true]').count(),
  }
  await look()

  await fillSignIn(page, job)
  if (job.javascript) {
    // With the Enter key, and with "Keep me signed in".
    await page.locator('[name=keep]').check()
    await page.locator('#password').press('Enter')
  } else {
    await page.locator('#sign-in').click()
  }
  await page.locator('#allow').waitFor()
  await look()
  report.consent = await page.locator('main').innerText()
  await page.locator('#allow').click()

  await page.locator('#userinfo').waitFor()
  await look()
  report.tokens = await tokens(page)
  report.userinfo = JSON.parse(await page.locator('#userinfo').innerText())
  report.cookies = await context.cookies()
  if (job.javascript) report.readable = await page.evaluate(() => document.cookie)

  // Go back to the form that was sent already, then open the demo again: both pages work.
  await page.goBack()
  report.back = await page.title()
  await page.goto(`${job.issuer}/demo`)
  report.stays = await page.locator('#userinfo').count()

  await page.locator('#demo-sign-out').click()
  await page.locator('#demo-sign-in').waitFor()
  await page.goto(`${job.issuer}/`)
  report.home = await page.locator('main').innerText()

  report.complaints = complaints
  return report
})

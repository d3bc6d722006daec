// An invited person opens the link job.link on a phone, chooses a name and a password, goes on to
// the application and signs in to it with the new account.
import { open, run, signIn } from './browser.mjs'

run(async (browser, job) => {
  const { page, complaints } = await open(browser, {
    javaScriptEnabled: job.javascript, viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true,
  })
  const report = { addresses: [] }
  const overflows = async () => {
    report.addresses.push(page.url())
    if (!job.javascript) return
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth)
    if (wide) complaints.push(`${page.url()} is wider than the screen`)
  }

  await page.goto(job.link)
  report.asked = await page.locator('main').innerText()
  report.name = await page.locator('#name').inputValue()
  report.filled = await page.locator('input[autocomplete=username]').getAttribute('value')
  await overflows()
  await page.locator('#name').fill('Zoë <b>Newcomer</b>')
  await page.locator('#new-password').fill('short')
  await page.locator('#create').click()
  await page.locator('#new-password[aria-invalid=true]').waitFor()
  report.kept = await page.locator('#name').inputValue()
  await overflows()
  await page.locator('#new-password').fill(job.chosen)
  await page.locator('#create').click()
  await page.locator('#continue').waitFor()
  report.done = await page.locator('main').innerText()
  await overflows()

  await page.locator('#continue').click()
  await page.locator('#demo-sign-in').click()
  await page.locator('form#login').waitFor()
  await signIn(page, { email: job.invited, password: job.chosen })
  await page.locator('#allow').click()
  await page.locator('#userinfo').waitFor()
  report.userinfo = JSON.parse(await page.locator('#userinfo').innerText())

  await page.goto(job.link)
  report.again = await page.locator('main').innerText()
  report.complaints = complaints
  return report
})

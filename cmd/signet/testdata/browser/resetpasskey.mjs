// A person whose account has only a passkey sets a password by a mailed link. The password alone does not
// sign in: the page after it asks for the passkey.
import { Device } from './device.mjs'
import { journey } from './journey.mjs'

journey(async (w, v) => {
  const { job, email, link, report: { saw } } = w
  const { page } = v
  const device = await Device.of(page)
  await page.goto(link)
  await v.press('add')
  await page.locator('a#sign-in').waitFor()

  await page.goto(`${job.issuer}/reset`)
  await v.fill({ email })
  await v.press('send')
  await page.locator('h1:text("Check your mail")').waitFor()
  const mailed = await w.mail(email, 'Choose a new password')
  await page.goto(mailed.link)
  await v.fill({ 'new-password': job.next })
  await v.press('set-password')
  await page.locator('#start, #back').first().waitFor()

  await device.attend(false)
  await page.goto(`${job.app}/go`)
  await page.locator('#sign-in').waitFor()
  await v.fill({ username: email, password: job.next })
  await v.press('sign-in')
  await v.sees('second factor', '#use-key')
  saw.address = page.url()
  await v.saw('who helps', 'p.small:last-of-type')
  await page.goto(`${job.issuer}/account`)
  await page.locator('#sign-in').waitFor()
  saw['without the passkey'] = page.url()

  await page.goto(`${job.app}/go`)
  await v.fill({ username: email, password: job.next })
  await v.press('sign-in')
  await page.locator('#use-key').waitFor()
  await device.attend(true)
  await v.press('key')
  await page.locator('#person').waitFor()
  await v.saw('person', '#person')
})

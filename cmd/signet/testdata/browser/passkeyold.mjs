// Pages that were open for a long time still take a passkey. The times are those of the server, and
// of the clock of the page.
import { Device, noteAnswers } from './device.mjs'
import { journey } from './journey.mjs'

journey(async (w, v) => {
  const { job, email, report: { saw } } = w
  const { page } = v
  const device = await Device.of(page)
  const answers = await noteAnswers(page)
  await page.clock.install()
  const later = async minutes => {
    await fetch(`${job.clock}?seconds=${60 * minutes}`)
    await page.clock.setSystemTime(await page.evaluate(m => Date.now() + m * 60000, minutes))
  }
  const arrive = async what => {
    await page.locator('#person').waitFor()
    await v.saw(what, '#person')
    saw[`${what}: answered`] = String(answers.splice(0))
  }
  const signOut = async () => {
    await page.goto(`${job.issuer}/end_session`)
    await v.press('allow')
    await page.getByRole('heading', { name: 'signed out' }).waitFor()
    await device.attend(false)
  }
  const depart = async (prompt = '') => {
    await page.goto(`${job.app}/go?prompt=${prompt}`)
    await page.locator('#passkey').waitFor()
  }

  await page.goto(`${job.issuer}/account/passkeys/add`)
  await v.fill({ username: email, password: job.password })
  await v.press('sign-in')
  await v.proves()
  await v.sees('add a passkey', 'form#add-passkey')
  await later(40)
  await v.press('add')
  await v.proves() // the first proof is too long ago
  await v.sees('confirm', '#password') // the sign-in was too long ago to add one, so none was made
  saw['made too late'] = String((await device.passkeys()).length)
  await v.fill({ password: job.password })
  await v.press('sign-in')
  await page.locator('form#add-passkey').waitFor()
  await v.press('add')
  await page.locator('#codes').waitFor()

  // The challenge has expired, the request has not.
  await signOut()
  await depart()
  await later(40)
  await device.attend(true)
  await v.press('passkey')
  await arrive('button')
  await depart('login')
  await later(40)
  await v.press('passkey')
  await arrive('confirm')
  await signOut()
  await depart()
  await later(40)
  await device.attend(true) // counts for autofill that begins later
  await page.clock.runFor(61 * 1000)
  await arrive('autofill')

  // Both have expired: the page begins anew, also while nobody touches it.
  await signOut()
  await depart()
  await later(200)
  const before = page.url()
  await v.press('passkey')
  await page.waitForURL(url => url.href !== before)
  await page.locator('#passkey').waitFor()
  await device.attend(true)
  await v.press('passkey')
  await arrive('begun anew')
  await signOut()
  await depart()
  await v.fill({ username: 'somebody' })
  await later(200)
  await page.clock.runFor(61 * 1000)
  saw['kept while writing'] = await page.locator('#username').inputValue()
})

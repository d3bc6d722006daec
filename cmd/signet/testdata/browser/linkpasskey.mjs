// A person opens the link of an operator, adds a passkey, and signs in to the application with it.
import { Device, noteAnswers } from './device.mjs'
import { journey } from './journey.mjs'

journey(async (w, v) => {
  const { job, link, report: { saw } } = w
  const { page } = v
  if (!w.javascript) {
    await page.goto(link)
    await v.sees('link for a passkey', 'h1')
    await v.saw('what is missing', '#no-passkeys')
    saw.button = String(await page.locator('#add').isVisible())
    return
  }
  const device = await Device.of(page)
  const answers = await noteAnswers(page)
  await page.goto(link)
  await v.sees('link for a passkey', 'form#add-passkey')
  await device.unlock(false)
  await v.press('add')
  await page.locator('[data-passkey-problem]:not(:empty)').waitFor()
  await v.saw('not made', '[data-passkey-problem]')
  await device.unlock(true)
  await v.press('add')
  await v.sees('passkey added', 'a#sign-in')
  saw.address = page.url()
  saw['on the device'] = String((await device.passkeys()).length)
  await page.goto(link)
  await v.sees('used link', '#start')

  await device.attend(false)
  await page.goto(`${job.app}/go`)
  await page.locator('#passkey').waitFor()
  await device.attend(true)
  await v.press('passkey')
  await page.locator('#person').waitFor()
  await v.saw('person', '#person')
  saw.answered = String(answers.splice(0))
})

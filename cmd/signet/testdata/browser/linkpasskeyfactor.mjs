// A person with a passkey opens another link of the operator. The page asks for the passkey first, and
// then makes the new one on another device.
import { Device } from './device.mjs'
import { journey } from './journey.mjs'

journey(async (w, v) => {
  const { job, link: operator, report: { saw } } = w
  const { page } = v
  const link = async () => (await fetch(operator)).text()
  const old = await Device.of(page)
  await page.goto(await link())
  await v.press('add')
  await page.locator('a#sign-in').waitFor()

  await page.goto(await link())
  await v.sees('second factor of a link', 'form#use-key')
  await v.saw('who helps', 'p.small:last-of-type')
  await v.press('key')
  await v.sees('link for a passkey', 'form#add-passkey')
  await old.attend(false)
  const stick = await Device.add(page, { protocol: 'ctap2', transport: 'usb', hasResidentKey: true, hasUserVerification: true, isUserVerified: true })
  await v.press('add')
  await v.sees('passkey added', 'a#sign-in')
  saw['on the new device'] = String((await stick.passkeys()).length)
  await stick.attend(false)
  await page.goto(`${job.app}/go`)
  await page.locator('#passkey').waitFor()
  await stick.attend(true)
  await v.press('passkey')
  await page.locator('#person').waitFor()
  await v.saw('person', '#person')
})

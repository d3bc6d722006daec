// A person adds a security key, signs in to an application with the password and the key, and removes
// it. The key neither verifies the person nor stores the account.
import { Device } from './device.mjs'
import { journey } from './journey.mjs'

journey(async (w, v) => {
  const { job, email, report: { saw } } = w
  const { page } = v
  const signIn = async v => {
    await v.page.goto(`${job.app}/go`)
    await v.page.locator('#sign-in').waitFor()
    await v.fill({ username: email, password: job.password })
    await v.press('sign-in')
  }
  const signOut = async () => {
    await page.goto(`${job.issuer}/end_session`)
    await v.press('allow')
    await page.getByRole('heading', { name: 'signed out' }).waitFor()
  }
  await signIn(v)
  await page.locator('#person').waitFor()
  await page.goto(`${job.issuer}/account/security`)
  await v.sees('security', '#add-key')
  await v.press('add-key')
  await v.sees('prove the address', 'form#prove-address')
  await v.press('send-link')
  await page.goto((await w.mail(email, 'Add a passkey or a second factor')).link)
  await v.press('go-on')
  await page.waitForURL('**/account/security/keys/add*')
  if (!w.javascript) {
    await v.sees('add a key', '#no-passkeys')
    await v.saw('what is missing', '#no-passkeys')
    return
  }
  const key = await Device.key(page)
  await v.sees('add a key', 'form#add-security-key')
  await v.pressTwice('add')
  await v.sees('recovery codes', '#codes')
  const codes = await page.locator('#codes li').allInnerTexts()
  saw.codes = String(codes.length)
  await v.press('saved')
  await v.sees('security with a key', 'ul#keys')
  const made = await key.passkeys()
  saw['stored in the key'] = made.map(c => String(c.isResidentCredential)).join()
  await v.press('add-key')
  await page.locator('form#add-security-key').waitFor()
  await v.press('add')
  await page.locator('[data-passkey-problem]:not(:empty)').waitFor()
  await v.saw('added twice', '[data-passkey-problem]')

  await signOut()
  await signIn(v)
  await v.sees('key', 'form#use-key')
  await v.pressTwice('key')
  await page.locator('#person').waitFor()
  await v.saw('person', '#person')

  const lost = await w.visitor()
  await signIn(lost)
  await lost.page.locator('form#second-factor').waitFor()
  await lost.fill({ code: codes[2] })
  await lost.press('sign-in')
  await lost.page.locator('#person').waitFor()
  await lost.saw('person without the key', '#person')

  await page.goto(`${job.issuer}/account/security`)
  await page.locator('form[action$=remove] button').click()
  await v.sees('remove the key', 'form#remove-security-key')
  await v.press('confirm')
  await v.sees('security without a key', '[role=status]')
})

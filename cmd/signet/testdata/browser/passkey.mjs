// A person adds a passkey, signs in to an application with it, and removes it.
import { Device, noteAnswers } from './device.mjs'
import { journey } from './journey.mjs'

journey(async (w, v) => {
  const { job, email, report: { saw } } = w
  const { page } = v
  const depart = async (prompt = '') => {
    await page.goto(`${job.app}/go?prompt=${prompt}`)
    await page.locator('#sign-in').waitFor()
  }
  const arrive = async what => {
    await page.locator('#person').waitFor()
    await v.saw(what, '#person')
  }
  const signInWithPassword = async () => {
    await v.fill({ username: email, password: job.password })
    await v.press('sign-in')
    await page.locator('#person').waitFor()
  }
  const signOut = async () => {
    await page.goto(`${job.issuer}/end_session`)
    await v.press('allow')
    await page.getByRole('heading', { name: 'signed out' }).waitFor()
  }
  const problem = async what => {
    await page.locator('[data-passkey-problem]:not(:empty)').waitFor()
    await v.saw(what, '[data-passkey-problem]')
  }

  await depart()
  await v.sees('sign-in', '#sign-in')
  saw.button = String(await page.locator('#passkey').isVisible())
  await signInWithPassword()
  await page.goto(`${job.issuer}/account/security`)
  await v.sees('security', 'h1')
  await page.goto(`${job.issuer}/account/passkeys`)
  await v.sees('no passkeys', '#add')
  await v.press('add')
  await v.proves()
  if (!w.javascript) {
    await v.sees('add a passkey', '#no-passkeys')
    await v.saw('what is missing', '#no-passkeys')
    return
  }

  const device = await Device.of(page)
  const answers = await noteAnswers(page)
  await v.sees('add a passkey', 'form#add-passkey')
  await device.unlock(false)
  await v.press('add')
  await problem('not made')
  await v.sees('add a passkey, locked', 'form#add-passkey')
  await device.unlock(true)
  await v.pressTwice('add')
  await v.sees('recovery codes', '#codes')
  await v.press('saved')
  await page.goto(`${job.issuer}/account/passkeys`)
  await v.sees('passkeys', 'ul#passkeys')
  const made = await device.passkeys()
  saw['on the device'] = String(made.length)
  await v.press('add')
  await page.locator('form#add-passkey').waitFor()
  await v.press('add')
  await problem('made twice')
  await v.press('cancel')
  await v.fill({ 'name-0': 'My phone' })
  await page.locator('form[action$=rename] button').click()
  await v.sees('passkeys, renamed', '[role=status]')
  await v.saw('name', 'ul#passkeys strong')

  await signOut()
  await device.attend(false)
  await depart()
  await device.unlock(false)
  await device.attend(true)
  await v.press('passkey')
  await problem('not used')
  await v.sees('sign-in, locked', '#passkey')
  await device.unlock(true)
  await page.locator('#keep').check()
  await v.pressTwice('passkey')
  await arrive('person')
  saw['answered by the button'] = String(answers.splice(0))
  saw.kept = String((await page.context().cookies(job.issuer)).some(c => c.name === 'signet' && c.expires > 0))

  await depart('login')
  await v.sees('confirm', '#passkey')
  await v.press('passkey')
  await arrive('confirmed')
  saw['answered to confirm'] = String(answers.splice(0))

  await signOut()
  await page.goto(`${job.app}/go`)
  await arrive('person by autofill')
  saw['answered by autofill'] = String(answers.splice(0))

  // The device has another name for the account.
  await signOut()
  await device.attend(false)
  await depart()
  const [stored] = await device.passkeys()
  await device.send('removeCredential', { credentialId: stored.credentialId })
  await device.send('addCredential', { credential: { ...stored, userName: 'former@name.example' } })
  await device.attend(true)
  await v.press('passkey')
  await arrive('person with another name')
  saw['known by the device'] = (await device.passkeys()).map(c => c.userName).join()

  await page.goto(`${job.issuer}/account/passkeys`)
  await page.locator('form[action$=remove] button').click()
  await v.sees('remove a passkey', '#confirm')
  await v.press('confirm')
  await v.sees('no passkeys, removed', 'p#passkeys')
  await device.forgets()

  await signOut()
  await device.send('addCredential', { credential: made[0] }) // as from a backup
  await device.attend(false)
  await depart()
  await device.attend(true)
  await page.locator('#passkey').click({ noWaitAfter: true })
  await device.forgets()
  await v.sees('sign-in, wrong passkey', '#problem')
  await signInWithPassword()
  await v.saw('person after a wrong passkey', '#person')
})

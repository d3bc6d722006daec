// A person adds an authenticator app, and signs in to an application with its code, with a recovery
// code, and without both in a trusted browser.
import { journey } from './journey.mjs'
import { codeOf } from './totp.mjs'

journey(async (w, v) => {
  const { job, email } = w
  const signIn = async v => {
    await v.page.goto(job.app)
    await v.press('go')
    await v.page.locator('#sign-in').waitFor()
    await v.fill({ username: email, password: job.password })
    await v.press('sign-in')
  }
  await signIn(v)
  await v.page.locator('#person').waitFor()

  await v.page.goto(`${job.issuer}/account/security`)
  await v.sees('security', '#add-app')
  await v.press('add-app')
  await v.proves()
  await v.sees('add an app', 'form#add-totp')
  const secret = await v.page.locator('#secret').innerText()
  await v.fill({ code: codeOf(secret, -20) })
  await v.press('confirm')
  await v.sees('add an app, refused', '#problem')
  await v.fill({ code: codeOf(secret, 0) })
  await v.press('confirm')
  await v.sees('recovery codes', '#codes')
  const codes = await v.page.locator('#codes li').allInnerTexts()
  w.report.saw.codes = String(codes.length)
  await v.press('saved')
  await v.sees('security with an app', '#remove-totp')

  const other = await w.visitor()
  await signIn(other)
  await other.sees('code', 'form#second-factor')
  await other.fill({ code: codeOf(secret, 20) })
  await other.press('sign-in')
  await other.sees('code, refused', '#problem')
  await other.fill({ code: codeOf(secret, 1) })
  await other.page.getByLabel('Trust this browser for 30 days').check()
  await other.press('sign-in')
  await other.page.locator('#person').waitFor()
  await other.saw('person', '#person')

  // The browser is trusted now: after a sign-out the password is enough, until the person ends the
  // trust.
  const signOut = async () => {
    await other.page.goto(`${job.issuer}/end_session`)
    await other.press('allow')
    await other.page.locator('#signout').waitFor({ state: 'detached' })
  }
  await signOut()
  await signIn(other)
  await other.page.locator('#person').waitFor()
  await other.saw('person in a trusted browser', '#person')
  await other.page.goto(`${job.issuer}/account/sessions`)
  await other.sees('sessions with a trusted browser', '#trusted')
  await other.page.locator('#trusted button').click()
  await other.page.locator('#trusted').waitFor({ state: 'detached' })
  await signOut()
  await signIn(other)
  await other.sees('code after the trust', 'form#second-factor')

  const lost = await w.visitor()
  await signIn(lost)
  await lost.press('switch')
  await lost.page.locator('input[name=way]').waitFor({ state: 'attached' })
  await lost.sees('recovery code', 'form#second-factor')
  await lost.fill({ code: codes[4].toUpperCase() })
  await lost.press('sign-in')
  await lost.page.locator('#person').waitFor()
  await lost.saw('person after recovery', '#person')
})

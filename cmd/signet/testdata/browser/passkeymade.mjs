// The browser makes a passkey by itself after a sign-in with a password. Chromium says that it can, but its
// virtual authenticator makes a passkey only if the person is asked, so the journey asks it that way.
import { Device } from './device.mjs'
import { journey } from './journey.mjs'

journey(async (w, v) => {
  const { job, email, report: { saw } } = w
  const { page } = v
  const device = w.javascript && await Device.of(page)
  let how // what the browser does: as Chromium does, or it refuses, waits, or makes a passkey
  if (w.javascript) {
    await page.exposeFunction('howTo', mediation => {
      saw.mediation = mediation ?? 'required'
      return how
    })
    await page.addInitScript(() => {
      PublicKeyCredential.getClientCapabilities = async () => ({ conditionalCreate: true })
      const create = navigator.credentials.create.bind(navigator.credentials)
      navigator.credentials.create = async options => {
        const how = await globalThis.howTo(options.mediation)
        if (how === 'refuses') throw new DOMException('no', 'NotAllowedError')
        if (how === 'waits') return new Promise((_, refuse) => options.signal.addEventListener('abort', () => refuse(options.signal.reason)))
        return create(how === 'as Chromium does' ? options : { publicKey: options.publicKey, signal: options.signal })
      }
    })
  }
  const signIn = async what => {
    await page.context().clearCookies()
    await page.goto(`${job.app}/go?prompt=`)
    await page.locator('#sign-in').waitFor()
    await v.fill({ username: email, password: job.password })
    await v.press('sign-in')
    await page.locator('#person').waitFor()
    await v.saw(what, '#person')
    if (w.javascript) saw[`${what}: on the device`] = String((await device.passkeys()).length)
  }

  for (how of ['as Chromium does', 'refuses', 'waits', 'makes']) await signIn(how)
  await page.goto(`${job.issuer}/account/passkeys`)
  await v.sees('passkeys', '#passkeys')
  await v.saw('passkeys', 'main')
})

// A device on openid-client: it gets a code and polls. Its user opens the link of the code in the
// browser of a phone, presses the buttons, and allows the device.
import * as oidc from 'openid-client'
import { open, run, signIn } from './browser.mjs'

run(async (browser, job) => {
  const config = await oidc.discovery(new URL(job.issuer), job.client_id, undefined, oidc.None(),
    { execute: [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks] })
  const waiting = await oidc.initiateDeviceAuthorization(config, { scope: 'openid offline_access' })
  const { page, complaints } = await open(browser, { viewport: { width: 390, height: 844 } })
  await page.goto(waiting.verification_uri_complete)
  await signIn(page, job)
  await page.locator('form#device #continue').click()
  const shown = await page.locator('#user-code').innerText()
  await page.locator('#allow').click()
  await page.locator('#answered').waitFor()
  const tokens = await oidc.pollDeviceAuthorizationGrant(config, { ...waiting, interval: 1 }) // the library waits before its first poll
  const refreshed = await oidc.refreshTokenGrant(config, tokens.refresh_token)
  const again = await oidc.pollDeviceAuthorizationGrant(config, { ...waiting, interval: 1 }).catch(error => error)
  return { code: waiting.user_code, shown, subject: tokens.claims().sub, scope: refreshed.scope, again: again.error, complaints }
})

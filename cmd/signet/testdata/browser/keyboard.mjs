// A person without a mouse uses all pages with Tab, Enter, Space and text only. Each focused
// element must be visible, and must come after the previous one in the document. The URL
// job.clock moves the clock of the server.
import { open, run, signIn } from './browser.mjs'
import { Device } from './device.mjs'
import { codeOf } from './totp.mjs'

run(async (browser, job) => {
  const options = { javaScriptEnabled: job.javascript, viewport: { width: 360, height: 560 } }
  const { page, complaints } = await open(browser, options)
  const other = await open(browser, options)
  const report = { problems: [], begins: {}, texts: {}, complaints }
  const text = async where => (await page.locator(where).first().innerText()).trim()

  // reach presses Tab until the element has the focus.
  const reach = async selector => {
    const meant = page.locator(selector).first()
    let last = await meant.evaluate(focusState)
    for (let tabs = 0; !last.there; tabs++) {
      if (tabs > 60) throw new Error(`Tab does not lead to ${selector} on ${page.url()}`)
      await page.keyboard.press('Tab')
      const stop = await meant.evaluate(focusState)
      if (stop.place > 0 && stop.place < last.place) stop.problems.push('gets the focus after an element that follows it')
      report.problems.push(...stop.problems.map(p => `${new URL(page.url()).pathname}: ${stop.name} ${p}`))
      last = stop
    }
  }
  // press moves the focus to the element, presses a key, and waits for next on the new page.
  const press = async (selector, next, key = 'Enter') => {
    await reach(selector)
    await page.evaluate(() => document.body.setAttribute('data-left', ''))
    await page.keyboard.press(key)
    await page.locator(`body:not([data-left]) ${next}`).first().waitFor()
    report.problems.push(...await page.evaluate(problemsOfNavigation))
  }
  // type replaces the text of a field.
  const type = async (selector, text) => {
    await reach(selector)
    await page.keyboard.press('Control+A')
    await page.keyboard.type(text)
  }
  // noteFocus reports the element that has the focus on a new page.
  const noteFocus = async name => {
    await page.locator(':focus').waitFor({ timeout: 5000 }).catch(() => {})
    report.begins[name] = (await page.locator('body').evaluate(focusState)).name
  }
  // skip uses the link that skips the navigation.
  const skip = async () => {
    await reach('.skip')
    await page.keyboard.press('Enter')
  }
  const account = async path => { await page.goto(`${job.issuer}/account${path}`) }

  // Sign in, with an error first.
  await page.goto(`${job.issuer}/demo`)
  await press('#demo-sign-in', '#username')
  await noteFocus('sign in')
  await type('#username', job.email)
  await type('#password', 'not the password')
  if (job.javascript) {
    await reach('[data-reveals]')
    await page.keyboard.press('Space')
    report.shown = await page.locator('#password').getAttribute('type')
  }
  await press('#password', '#problem')
  await noteFocus('sign in, refused')
  await reach('#problem a')
  await page.keyboard.press('Enter')
  report.linkLeadsTo = (await page.locator('body').evaluate(focusState)).name
  await page.keyboard.type(job.password)
  await reach('#keep')
  await page.keyboard.press('Space')
  report.kept = await page.locator('#keep').isChecked()

  // Consent: deny, then allow.
  await press('#sign-in', '#allow')
  await press('#deny', '#demo-sign-in')
  report.texts.denied = await text('main')
  await noteFocus('demo, denied')
  await press('#demo-sign-in', '#allow')
  await press('#allow', '#userinfo', 'Space')
  await reach('summary')
  await page.keyboard.press('Enter')
  report.opened = await page.locator('details[open]').count()

  // The account.
  await account('')
  await skip()
  await press('main a[href$="/profile"]', 'form#profile')
  await skip()
  await type('[name=zoneinfo]', 'London')
  await press('[name=zoneinfo]', '#problem')
  await noteFocus('profile, refused')
  await type('[name=name]', 'Keyboard User')
  await type('[name=zoneinfo]', 'Europe/London')
  await press('#save', '[role=status]')
  report.texts.name = await page.locator('#profile [name=name]').inputValue()

  await other.page.goto(`${job.issuer}/account`)
  await signIn(other.page, job)
  await other.page.locator('#account').waitFor()
  await press('nav a[href$="/sessions"]', '#sessions')
  await press('#sessions li:not(:has(.badge)) button', '[role=status]')
  report.sessionsLeft = await page.locator('#sessions > li').count()
  await press('nav a[href$="/apps"]', '#apps')
  await press('#apps button', '#confirm')
  await press('#cancel', '#apps')
  await press('#apps button', '#confirm')
  await press('#confirm', '[role=status]')
  report.texts.appsLeft = await text('#apps')

  await press('nav a[href$="/identities"]', '#link-google')
  await press('#link-google', '#account-ada')
  await press('#account-ada', '#identities [name=identity]')
  report.texts.connected = await text('#identities')
  await press('[name=identity]', 'p#identities')
  report.texts.disconnected = await text('#identities')

  // After six minutes the password page asks for a new sign-in.
  await fetch(`${job.clock}?seconds=360`)
  await press('nav a[href$="/password"]', '#password')
  await noteFocus('sign in again')
  report.texts.stepUp = await text('h1')
  await type('#password', job.password)
  await press('#password', '#password-form')
  await type('#current-password', 'not the password')
  await type('#new-password', job.next)
  await press('#new-password', '#problem')
  await noteFocus('password, refused')
  await type('#current-password', job.password)
  await type('#new-password', job.next)
  await press('#change-password', '[role=status]')

  // Add an authenticator app, which begins with a mailed link.
  await press('nav a[href$="/security"]', '#add-app')
  await press('#add-app', '#send-link')
  await press('#send-link', '#sent')
  const link = 'a[href*="/link/enrol?"]'
  while (await page.locator(link).count() === 0) await page.goto(`${job.issuer}/dev/mail`)
  await press(link, '#go-on')
  await press('#go-on', '#add-totp')
  const secret = await text('#secret'), moved = 360 / 30 // in steps of the app
  await type('#code', codeOf(secret, moved - 20))
  await press('#code', '#problem')
  await noteFocus('add an app, refused')
  await type('#code', codeOf(secret, moved))
  await press('#confirm', '#codes')
  await press('#saved', '#remove-totp')

  // Add a security key, give it a name and remove it. Without JavaScript there are no keys.
  if (job.javascript) {
    await Device.key(page)
    await press('#add-key', '#add')
    await press('#add', '#keys')
    await type('#keys input[name=name]', 'Key ring')
    await press('#keys input[name=name]', '[role=status]')
    report.texts.key = await text('#keys')
    await press('#keys button[name=key]', '#confirm')
    await press('#cancel', '#keys')
    await press('#keys button[name=key]', '#confirm')
    await press('#confirm', '[role=status]')
  }

  // Sign out: first cancel, then confirm.
  await press('nav #sign-out', '#deny')
  await press('#deny', '#account')
  report.texts.stayed = page.url()
  await account('/sessions')
  await press('nav #sign-out', '#allow')
  await press('#allow', 'h1:has-text("signed out")')

  // Sign in with a code.
  await account('')
  await type('#username', job.email)
  await type('#password', job.next)
  await press('#password', '#second-factor')
  await noteFocus('code')
  await type('#code', codeOf(secret, moved - 20))
  await press('#code', '#problem')
  await noteFocus('code, refused')
  await type('#code', codeOf(secret, moved + 1))
  await press('#sign-in', '#account')
  await press('nav #sign-out', '#allow')
  await press('#allow', 'h1:has-text("signed out")')

  // Sign in through a connector, with a person without an account, and sign out everywhere.
  await page.goto(`${job.issuer}/demo`)
  await press('#demo-sign-out, #demo-sign-in', '#demo-sign-in, #username')
  if (await page.locator('#demo-sign-in').count()) await press('#demo-sign-in', '#username')
  await press('#connector-google', '#deny')
  await press('#deny', '#start')
  await press('#start', '#connector-google')
  await press('#connector-google', '#account-ada')
  await press('#account-ada', '#allow')
  await press('#allow', '#userinfo')
  report.texts.upstream = await text('#userinfo')
  await account('/sessions')
  await press('#end-all', '#confirm')
  await press('#confirm', 'h1:has-text("signed out")')

  // The administrator, a day later: from then on the next keys may sign.
  await fetch(`${job.clock}?seconds=${24 * 3600}`)
  await page.goto(`${job.issuer}/admin`)
  await type('#username', job.admin.email)
  await type('#password', job.admin.password)
  await press('#password', '#admin')
  await skip()
  await press('main a[href$="/connectors"]', '[name=connector]')
  await press('button[value=github]', '#test-result')
  report.texts.tested = await text('#test-result')
  await press('nav a[href$="/keys"]', '#rotate')
  await press('#rotate', '#confirm')
  await press('#cancel', '#rotate')
  await press('#rotate', '#confirm')
  await press('#confirm', '[role=status]')
  report.texts.rotated = await text('[role=status]')
  const revoke = '#keys tr:has-text("retired") a'
  const kid = await page.locator('#keys tr:has-text("retired") th code').first().innerText()
  await press(revoke, '#revoke')
  await type('#confirm', 'not the kid')
  await press('#confirm', '#problem')
  await noteFocus('revoke, refused')
  await type('#confirm', kid.slice(0, 8))
  await type('#reason', 'no mouse')
  await press('#revoke', '[role=status]')
  report.texts.revoked = await text('#keys')
  return report
})

// focusState returns the element that has the focus, whether it is the wanted one, and the problems
// of its focus.
function focusState(wanted) {
  const e = document.activeElement
  const name = e.id || e.getAttribute('name') || e.innerText.trim().split('\n')[0]
  const place = [...document.querySelectorAll('*')].indexOf(e)
  const problems = []
  if (e === document.body) return { there: false, name: 'nothing', place: 0, problems }
  const box = e.getClientRects()[0] // the first box, if a link has two lines
  const [left, right] = [Math.max(box.left, 0), Math.min(box.right, innerWidth)]
  const [top, bottom] = [Math.max(box.top, 0), Math.min(box.bottom, innerHeight)]
  const above = document.elementFromPoint((left + right) / 2, (top + bottom) / 2)
  if (right <= left || bottom <= top) problems.push('is outside the window')
  else if (!e.contains(above)) problems.push(`is covered by ${above?.outerHTML.slice(0, 80)}`)
  const { outlineStyle, outlineWidth } = getComputedStyle(e)
  if (outlineStyle === 'none' || outlineStyle !== 'auto' && parseFloat(outlineWidth) < 2) problems.push('does not show that it has the focus')
  return { there: e === wanted, name, place, problems }
}

// problemsOfNavigation checks that the navigation is one row in a narrow window, and shows the entry
// of the page.
function problemsOfNavigation() {
  const here = document.querySelector('nav [aria-current]')
  if (!here) return []
  const { left, right } = here.getBoundingClientRect(), { height } = here.closest('ul').getBoundingClientRect(), problems = []
  if (left < -1 || right > innerWidth + 1) problems.push(`${location.pathname}: the current entry of the navigation is at ${left} to ${right} px`)
  if (height > 64) problems.push(`${location.pathname}: the navigation is ${height} px high`)
  return problems
}

// A person without a mouse goes through everything there is: nothing but Tab, Enter,
// Space and letters. Each stop of the focus must be seen, and come after the one
// before. The clock of the server stands behind job.clock.
import { open, run, signIn } from './browser.mjs'

run(async (browser, job) => {
  const options = { javaScriptEnabled: job.javascript, viewport: { width: 360, height: 560 } }
  const { page, complaints } = await open(browser, options)
  const other = await open(browser, options)
  const report = { problems: [], begins: {}, texts: {}, complaints }
  const text = async where => (await page.locator(where).first().innerText()).trim()

  // reach presses Tab until the focus is there.
  const reach = async selector => {
    const meant = page.locator(selector).first()
    let last = await meant.evaluate(standing)
    for (let tabs = 0; !last.there; tabs++) {
      if (tabs > 60) throw new Error(`Tab does not lead to ${selector} on ${page.url()}`)
      await page.keyboard.press('Tab')
      const stop = await meant.evaluate(standing)
      if (stop.place > 0 && stop.place < last.place) stop.problems.push('comes after what stands behind it')
      report.problems.push(...stop.problems.map(p => `${new URL(page.url()).pathname}: ${stop.name} ${p}`))
      last = stop
    }
  }
  // press presses a key there and waits for something on the page that comes.
  const press = async (selector, next, key = 'Enter') => {
    await reach(selector)
    await page.evaluate(() => document.body.setAttribute('data-left', ''))
    await page.keyboard.press(key)
    await page.locator(`body:not([data-left]) ${next}`).first().waitFor()
  }
  // type puts text in the place of what stands in a field.
  const type = async (selector, text) => {
    await reach(selector)
    await page.keyboard.press('Control+A')
    await page.keyboard.type(text)
  }
  // begun notes where the focus of a new page is, once the browser has put it there.
  const begun = async name => {
    await page.locator(':focus').waitFor({ timeout: 5000 }).catch(() => {})
    report.begins[name] = (await page.locator('body').evaluate(standing)).name
  }
  // skip goes past the navigation.
  const skip = async () => {
    await reach('.skip')
    await page.keyboard.press('Enter')
  }
  const account = async path => { await page.goto(`${job.issuer}/account${path}`) }

  // Sign in, with an error first.
  await page.goto(`${job.issuer}/demo`)
  await press('#demo-sign-in', '#username')
  await begun('sign in')
  await type('#username', job.email)
  await type('#password', 'not the password')
  if (job.javascript) {
    await reach('[data-reveals]')
    await page.keyboard.press('Space')
    report.shown = await page.locator('#password').getAttribute('type')
  }
  await press('#password', '#problem')
  await begun('sign in, refused')
  await reach('#problem a')
  await page.keyboard.press('Enter')
  report.linkLeadsTo = (await page.locator('body').evaluate(standing)).name
  await page.keyboard.type(job.password)
  await reach('#keep')
  await page.keyboard.press('Space')
  report.kept = await page.locator('#keep').isChecked()

  // Consent: no, then yes.
  await press('#sign-in', '#allow')
  await press('#deny', '#demo-sign-in')
  report.texts.denied = await text('main')
  await begun('demo, denied')
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
  await begun('profile, refused')
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

  // Six minutes later the password wants a fresh sign-in.
  await fetch(`${job.clock}?seconds=360`)
  await press('nav a[href$="/password"]', '#password')
  await begun('sign in again')
  report.texts.stepUp = await text('h1')
  await type('#password', job.password)
  await press('#password', '#password-form')
  await type('#current-password', 'not the password')
  await type('#new-password', job.next)
  await press('#new-password', '#problem')
  await begun('password, refused')
  await type('#current-password', job.password)
  await type('#new-password', job.next)
  await press('#change-password', '[role=status]')

  // Sign out, after a second thought.
  await press('nav #sign-out', '#deny')
  await press('#deny', '#account')
  report.texts.stayed = page.url()
  await account('/sessions')
  await press('nav #sign-out', '#allow')
  await press('#allow', 'h1:has-text("signed out")')

  // In through a connector, which has no account here yet, and out everywhere.
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

  // The administrator, a day later, when the next keys may sign.
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
  await begun('revoke, refused')
  await type('#confirm', kid.slice(0, 8))
  await type('#reason', 'no mouse')
  await press('#revoke', '[role=status]')
  report.texts.revoked = await text('#keys')
  return report
})

// standing tells where the focus is, whether that is what is meant, and what is wrong
// with it there.
function standing(meant) {
  const e = document.activeElement
  const name = e.id || e.getAttribute('name') || e.innerText.trim().split('\n')[0]
  const place = [...document.querySelectorAll('*')].indexOf(e)
  const problems = []
  if (e === document.body) return { there: false, name: 'nothing', place: 0, problems }
  const box = e.getClientRects()[0] // of a link in two lines, the first
  const [left, right] = [Math.max(box.left, 0), Math.min(box.right, innerWidth)]
  const [top, bottom] = [Math.max(box.top, 0), Math.min(box.bottom, innerHeight)]
  const above = document.elementFromPoint((left + right) / 2, (top + bottom) / 2)
  if (right <= left || bottom <= top) problems.push('is out of the window')
  else if (!e.contains(above)) problems.push(`is covered by ${above?.outerHTML.slice(0, 80)}`)
  const { outlineStyle, outlineWidth } = getComputedStyle(e)
  if (outlineStyle === 'none' || outlineStyle !== 'auto' && parseFloat(outlineWidth) < 2) problems.push('does not show that it has the focus')
  return { there: e === meant, name, place, problems }
}

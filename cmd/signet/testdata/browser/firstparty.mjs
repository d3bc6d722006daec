// A person uses the example app in several tabs of one browser and in a second browser. A thief
// uses stolen cookies. The app, its API, and Signet below /auth have one origin. The server of
// job.control (in the Go test) documents its requests.
import { open, readable, run, signIn } from './browser.mjs'

const refresh = '/auth/refresh'
const out = 'nav #sign-in'

run(async (browser, job) => {
  const { context, page, complaints } = await open(browser)
  const report = { readable: [], unhidden: [], complaints, after: {}, answered: {} }
  const control = (action, path = '') => fetch(`${job.control}/${action}?path=${path}`, { signal: AbortSignal.timeout(20_000) })
  const calls = async () => (await control('calls')).json()
  const shownUser = async tab => {
    await tab.locator(`#who, ${out}`).waitFor()
    return tab.locator(`#who, ${out}`).innerText()
  }
  const heading = tab => tab.locator('main h1').innerText()
  const loads = async tab => Number(await tab.locator('#notes').getAttribute('data-loads'))
  const look = async (...tabs) => {
    for (const tab of tabs) report.readable.push(...await readable(tab))
    report.unhidden.push(...(await context.cookies()).filter(c => !c.httpOnly).map(c => c.name))
  }
  // Hidden pages, as on a laptop that slept: the SDK refreshes only when a call needs it.
  const asleep = where => where.addInitScript(() => Object.defineProperty(document, 'visibilityState', { value: 'hidden' }))
  await asleep(context)
  const later = seconds => fetch(`${job.clock}?seconds=${seconds}`)
  // expire moves the clock, and deletes the access token cookie like a browser after its lifetime.
  const expire = async (where = context) => {
    await later(60)
    await where.clearCookies({ name: 'access_token' })
  }
  // back goes back in the history. page.goBack of Playwright would wait forever if the page comes
  // from the back/forward cache.
  const back = async tab => {
    const from = tab.url()
    await tab.evaluate(() => { setTimeout(() => history.back()) })
    await tab.waitForFunction(from => location.href !== from, from)
  }
  const press = (tab, times = 1) => tab.evaluate(n => { for (; n > 0; n--) document.querySelector('#reload').click() }, times)
  const loaded = tab => tab.locator('#notes:not([data-loads="0"])').waitFor({ state: 'attached' })
  const notes = async tab => {
    await tab.goto(job.origin + '/notes')
    await loaded(tab)
    return tab
  }
  // call makes the app call its API, and returns the error that the app shows, or "".
  const call = async tab => {
    const had = await loads(tab)
    await press(tab)
    await tab.locator(`#notes:not([data-loads="${had}"]), main [role=alert], ${out}`).first().waitFor({ state: 'attached' })
    return (await tab.locator(`main [role=alert], ${out}`).allInnerTexts()).join()
  }
  const enter = async tab => {
    await tab.goto(job.origin + '/notes')
    await tab.locator('#page-sign-in').click()
    await signIn(tab, job)
    await tab.locator('#notes[data-loads="1"]').waitFor({ state: 'attached' })
  }
  // renew calls /refresh in waves, each times in every wave, without the lock of the SDK.
  const renew = (tab, waves = 1, each = 1) => tab.evaluate(async ([path, waves, each]) => {
    const once = () => fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' }).then(r => r.status)
    const all = []
    for (; waves > 0; waves--) {
      for (let n = 0; n < each; n++) all.push(once())
      await new Promise(done => setTimeout(done, 10))
    }
    return Promise.all(all)
  }, [refresh, waves, each])

  await page.goto(job.origin)
  report.public = await heading(page)
  await page.goto(job.origin + '/notes')
  report.out = await heading(page)
  await enter(page)
  report.in = await shownUser(page)
  await look(page)

  await calls()
  const second = await context.newPage()
  await second.goto(job.origin + '/notes')
  await second.locator('#who').waitFor()
  await second.waitForLoadState('networkidle')
  report.first = await calls()
  report.second = await shownUser(second)
  const other = await open(browser)
  await asleep(other.context)
  await other.page.goto(job.origin)
  report.other = await shownUser(other.page)
  await enter(other.page)

  // The access token has expired: ten calls in each tab at once.
  await expire()
  const before = await loads(page) + await loads(second)
  await calls()
  await Promise.all([press(page, 10), press(second, 10)])
  for (let n = 0; n < 400 && await loads(page) + await loads(second) < before + 20; n++) await page.waitForTimeout(50)
  report.loads = await loads(page) + await loads(second) - before
  report.refreshes = await calls()
  await look(page, second)

  // The server rotates the token, but its answer does not reach the browser. Chromium itself
  // repeats the request on a new connection; otherwise the person repeats the call.
  await expire()
  await calls()
  await control('cut', refresh)
  report.answered.lost = await call(page) && await call(page)
  report.after.lost = await shownUser(page)
  report.lostCalls = await calls()

  // Many refreshes at once in both tabs, so that requests and answers overtake one another.
  await expire()
  report.storm = (await Promise.all([renew(page, 10, 5), renew(second, 10, 5)])).flat()
  await expire()
  report.answered.storm = [await call(page), await call(second)].join('')
  report.after.storm = await shownUser(page)
  await look(page, second)

  const profile = async tab => {
    await tab.locator('nav a', { hasText: 'Profile' }).click()
    await tab.locator('dl').waitFor()
  }
  const checkAfter = async name => {
    await loaded(page)
    report.answered[name] = await call(page)
    report.after[name] = await shownUser(page)
  }
  await profile(page)
  await back(page)
  await checkAfter('go back')
  await page.reload()
  await checkAfter('load again')

  // interruptRefresh starts a refresh in a tab. The server has answered, but the answer is held back. A
  // second tab waits for the lock, then end interrupts the first tab.
  const interruptRefresh = async (name, tab, end) => {
    await expire()
    await control('hold', refresh)
    await press(tab)
    await control('held')
    const waits = call(second)
    await second.waitForFunction(() => navigator.locks.query().then(q => q.pending.length === 1))
    await end()
    report.answered[name] = await waits
    await control('release')
    report.after[name] = await shownUser(second)
    await look(second)
  }
  const closed = await notes(await context.newPage())
  await interruptRefresh('close', closed, () => closed.close())
  const crashed = await notes(await context.newPage())
  const toCrash = await context.newCDPSession(crashed)
  await interruptRefresh('crash', crashed, () => {
    toCrash.send('Page.crash').catch(() => {}) // the page crashes before it answers
    return crashed.waitForEvent('crash')
  })
  await interruptRefresh('reload in a refresh', page, () => page.reload())
  await checkAfter('reloaded in a refresh')
  await profile(page)
  await notes(page)
  await interruptRefresh('back in a refresh', page, () => back(page))
  await notes(page)
  await checkAfter('went back in a refresh')

  // The access token cookie of the other browser expires in real time: wait for that.
  while ((await other.context.cookies()).some(c => c.name === 'access_token')) await other.page.waitForTimeout(100)
  report.answered.expired = await call(other.page)
  report.after.expired = await shownUser(other.page)

  // A thief with only the refresh cookie gets nothing, and the person stays signed in.
  const cookies = () => context.cookies(job.origin + refresh)
  const thief = async (...names) => {
    const { context, page } = await open(browser)
    await asleep(context)
    await context.addCookies((await cookies()).filter(c => names.includes(c.name)))
    await page.goto(job.origin)
    return page
  }
  const half = await thief('refresh_token')
  report.half = await renew(half)
  await expire()
  report.answered.half = await call(page)
  report.after.half = await shownUser(page)

  // A thief with all cookies comes after the person has used the next refresh token.
  const stolen = ['signet', 'refresh_token']
  const late = await thief(...stolen)
  for (let n = 0; n < 2; n++) {
    await expire()
    await call(page)
  }
  await later(60)
  report.late = await renew(late)
  await expire()
  report.victim = await call(page)
  await late.reload()
  report.after.late = await shownUser(late)
  await look(page, late)
  await page.goto(job.origin + '/auth/account/sessions')
  report.told = await page.locator('main').innerText()
  await signIn(page, job)
  await page.locator('#sessions').waitFor()
  report.ended = await page.locator('main').innerText()
  await notes(page)

  // The thief refreshes first, and the person comes later with the old refresh token.
  const early = await thief(...stolen)
  report.early = []
  for (let n = 0; n < 2; n++) {
    await later(60)
    report.early.push(...await renew(early))
  }
  await expire()
  report.robbed = await call(page)
  report.early.push(...await renew(early))
  await look(page, early)

  // After a sign-out in one tab, the other tab shows it. A page of the app and a page of Signet
  // show it too when the person goes back to them, although the browser may have cached them.
  await enter(page)
  await notes(second)
  await second.goto(job.origin + '/auth/account')
  const account = await context.newPage()
  await account.goto(job.origin + '/auth/account/sessions')
  await account.goto(job.origin)
  const third = await notes(await context.newPage())
  await page.locator('#sign-out').click()
  await third.locator(out).waitFor()
  report.gone = await shownUser(third)
  await back(second)
  await second.locator(out).waitFor()
  report.kept = await shownUser(second)
  await back(account)
  await account.waitForFunction(() => location.pathname !== '/auth/account/sessions')
  report.account = await account.evaluate(() => location.pathname)
  await look(page, second, third)
  return report
}, { ignoreDefaultArgs: ['--disable-back-forward-cache'] })

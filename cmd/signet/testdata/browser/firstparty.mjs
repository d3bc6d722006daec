// A person at the example app: tabs of one browser, a second browser, and a thief. The
// app, its API and Signet below /auth are one origin; job.control is described at its
// server.
import { open, readable, run, signIn } from './browser.mjs'

const refresh = '/auth/refresh'
const out = 'nav #sign-in'

run(async (browser, job) => {
  const { context, page, complaints } = await open(browser)
  const report = { readable: [], unhidden: [], complaints, after: {}, answered: {} }
  const control = (what, path = '') => fetch(`${job.control}/${what}?path=${path}`, { signal: AbortSignal.timeout(20_000) })
  const calls = async () => (await control('calls')).json()
  const who = async tab => {
    await tab.locator(`#who, ${out}`).waitFor()
    return tab.locator(`#who, ${out}`).innerText()
  }
  const heading = tab => tab.locator('main h1').innerText()
  const loads = async tab => Number(await tab.locator('#notes').getAttribute('data-loads'))
  const look = async (...tabs) => {
    for (const tab of tabs) report.readable.push(...await readable(tab))
    report.unhidden.push(...(await context.cookies()).filter(c => !c.httpOnly).map(c => c.name))
  }
  // As in a laptop that slept: nothing is renewed before somebody calls.
  const asleep = where => where.addInitScript(() => Object.defineProperty(document, 'visibilityState', { value: 'hidden' }))
  await asleep(context)
  const later = seconds => fetch(`${job.clock}?seconds=${seconds}`)
  // Time passes, and the browser drops the cookie of the access token.
  const expire = async (where = context) => {
    await later(60)
    await where.clearCookies({ name: 'access_token' })
  }
  // Playwright's own waits for ever when the page comes out of the cache.
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
  // call lets the app call its API, and gives the problem that it shows, or "".
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
  // renew calls /refresh so often, in waves, and knows nothing of the SDK's lock.
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
  report.in = await who(page)
  await look(page)

  await calls()
  const second = await context.newPage()
  await second.goto(job.origin + '/notes')
  await second.locator('#who').waitFor()
  await second.waitForLoadState('networkidle')
  report.first = await calls()
  report.second = await who(second)
  const other = await open(browser)
  await asleep(other.context)
  await other.page.goto(job.origin)
  report.other = await who(other.page)
  await enter(other.page)

  // The access token is over: ten calls in each tab at once.
  await expire()
  const before = await loads(page) + await loads(second)
  await calls()
  await Promise.all([press(page, 10), press(second, 10)])
  for (let n = 0; n < 400 && await loads(page) + await loads(second) < before + 20; n++) await page.waitForTimeout(50)
  report.loads = await loads(page) + await loads(second) - before
  report.refreshes = await calls()
  await look(page, second)

  // The server has rotated and the browser does not hear of it. Chromium itself sends
  // it again on a new connection; if not, the person does.
  await expire()
  await calls()
  await control('cut', refresh)
  report.answered.lost = await call(page) && await call(page)
  report.after.lost = await who(page)
  report.lostCalls = await calls()

  // A storm in both tabs, in which calls and answers overtake one another.
  await expire()
  report.storm = (await Promise.all([renew(page, 10, 5), renew(second, 10, 5)])).flat()
  await expire()
  report.answered.storm = [await call(page), await call(second)].join('')
  report.after.storm = await who(page)
  await look(page, second)

  const profile = async tab => {
    await tab.locator('nav a', { hasText: 'Profile' }).click()
    await tab.locator('dl').waitFor()
  }
  const seen = async name => {
    await loaded(page)
    report.answered[name] = await call(page)
    report.after[name] = await who(page)
  }
  await profile(page)
  await back(page)
  await seen('go back')
  await page.reload()
  await seen('load again')

  // middle lets tab begin a refresh that the server has answered and the browser has
  // not heard of, lets another tab wait behind it, and ends it in some way.
  const middle = async (name, tab, end) => {
    await expire()
    await control('hold', refresh)
    await press(tab)
    await control('held')
    const waits = call(second)
    await second.waitForFunction(() => navigator.locks.query().then(q => q.pending.length === 1))
    await end()
    report.answered[name] = await waits
    await control('release')
    report.after[name] = await who(second)
    await look(second)
  }
  const closed = await notes(await context.newPage())
  await middle('close', closed, () => closed.close())
  const crashed = await notes(await context.newPage())
  const toCrash = await context.newCDPSession(crashed)
  await middle('crash', crashed, () => {
    toCrash.send('Page.crash').catch(() => {}) // it does not live to answer
    return crashed.waitForEvent('crash')
  })
  await middle('reload in a refresh', page, () => page.reload())
  await seen('reloaded in a refresh')
  await profile(page)
  await notes(page)
  await middle('back in a refresh', page, () => back(page))
  await notes(page)
  await seen('went back in a refresh')

  // The other browser's token is over by itself by now.
  while ((await other.context.cookies()).some(c => c.name === 'access_token')) await other.page.waitForTimeout(100)
  report.answered.expired = await call(other.page)
  report.after.expired = await who(other.page)

  // With the refresh cookie alone a thief gets nothing and disturbs nobody.
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
  report.after.half = await who(page)

  // With all of them: the person has used the successor, and now the thief comes.
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
  report.after.late = await who(late)
  await look(page, late)
  await page.goto(job.origin + '/auth/account/sessions')
  report.told = await page.locator('main').innerText()
  await signIn(page, job)
  await page.locator('#sessions').waitFor()
  report.ended = await page.locator('main').innerText()
  await notes(page)

  // The thief was faster: it is the person who comes with the old one.
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

  // Signed out in one tab, the other shows it; and so do a page of the app and one of
  // Signet, which the browser may have kept, when they are gone back to.
  await enter(page)
  await notes(second)
  await second.goto(job.origin + '/auth/account')
  const account = await context.newPage()
  await account.goto(job.origin + '/auth/account/sessions')
  await account.goto(job.origin)
  const third = await notes(await context.newPage())
  await page.locator('#sign-out').click()
  await third.locator(out).waitFor()
  report.gone = await who(third)
  await back(second)
  await second.locator(out).waitFor()
  report.kept = await who(second)
  await back(account)
  await account.waitForFunction(() => location.pathname !== '/auth/account/sessions')
  report.account = await account.evaluate(() => location.pathname)
  await look(page, second, third)
  return report
}, { ignoreDefaultArgs: ['--disable-back-forward-cache'] })

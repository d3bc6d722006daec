// A person at the example app: two tabs of one browser and a second browser. The app,
// its API and Signet below /auth are one origin; a GET of job.control gives how often
// each path was called since the last one, and with ?cut= loses that path's next answer.
import { open, run, signIn } from './browser.mjs'

run(async (browser, job) => {
  const { context, page, complaints } = await open(browser)
  const report = { readable: [], unhidden: [], complaints }
  const calls = async (cut = '') => (await fetch(`${job.control}?cut=${cut}`)).json()
  const who = tab => tab.locator('#who, nav #sign-in').innerText()
  const heading = tab => tab.locator('main h1').innerText()
  const loads = async tab => Number(await tab.locator('#notes').getAttribute('data-loads'))
  const look = async (...tabs) => {
    for (const tab of tabs) {
      const held = await tab.evaluate(() => document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage))
      if (held !== '{}{}') report.readable.push(held)
    }
    report.unhidden.push(...(await context.cookies()).filter(c => !c.httpOnly).map(c => c.name))
  }
  const expired = async () => {
    while ((await context.cookies()).some(c => c.name === 'access_token')) await page.waitForTimeout(100)
  }
  // As in a laptop that slept: nothing is renewed before somebody calls.
  const asleep = tab => tab.addInitScript(() => Object.defineProperty(document, 'visibilityState', { value: 'hidden' }))
  await asleep(context)

  await page.goto(job.origin)
  report.public = await heading(page)
  await page.goto(job.origin + '/notes')
  report.out = await heading(page)
  await page.locator('#page-sign-in').click()
  await signIn(page, job)
  await page.locator('#notes[data-loads="1"]').waitFor({ state: 'attached' })
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
  await other.page.goto(job.origin)
  report.other = await who(other.page)

  // The access token is over: ten calls in each tab at once.
  await expired()
  const before = await loads(page) + await loads(second)
  await calls()
  const press = tab => tab.evaluate(() => { for (let n = 0; n < 10; n++) document.querySelector('#reload').click() })
  await Promise.all([press(page), press(second)])
  for (let n = 0; n < 200 && await loads(page) + await loads(second) < before + 20; n++) await page.waitForTimeout(50)
  report.loads = await loads(page) + await loads(second) - before
  report.refreshes = await calls()
  await look(page, second)

  await page.locator('nav a', { hasText: 'Profile' }).click()
  await page.locator('dl').waitFor()
  await page.goBack()
  await page.locator('#notes').waitFor({ state: 'attached' })
  report.back = await who(page)
  await page.reload()
  await page.locator('#notes').waitFor({ state: 'attached' })
  report.reloaded = await who(page)

  // The server has rotated and the browser does not hear of it.
  await expired()
  await calls('/auth/refresh')
  // Chromium itself sends it again on a new connection; if not, the person does.
  const had = await loads(page)
  for (let n = 0; n < 100 && await loads(page) === had; n++) {
    if (n === 0 || await page.locator('main [role=alert]').count()) await page.locator('#reload').click()
    await page.waitForTimeout(50)
  }
  report.answered = await loads(page) - had
  report.lost = await who(page)
  report.lostCalls = await calls()

  // A tab is closed in the middle of its refresh.
  await expired()
  const killed = await context.newPage()
  await killed.goto(job.origin)
  await killed.evaluate(() => { fetch('/auth/refresh', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' }) })
  await killed.close()
  await page.reload()
  await page.locator('#notes').waitFor({ state: 'attached' })
  report.killed = await who(page)
  await look(page, second)

  await second.locator('#sign-out').click()
  await page.locator('nav #sign-in').waitFor()
  report.gone = await who(page)
  await look(page, second)
  return report
})

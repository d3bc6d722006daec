// Another site, job.evil, does with the browser of somebody who is signed in at job.origin
// what pages can do to other sites: forms, fetch, images. A GET of job.control gives how
// often each path was called since the last one.
import { open, run, signIn } from './browser.mjs'

run(async (browser, job) => {
  const { context, page } = await open(browser)
  await page.goto(job.origin + '/notes')
  await page.locator('#page-sign-in').click()
  await signIn(page, job)
  await page.locator('#who').waitFor()
  const cookies = async () => JSON.stringify((await context.cookies(job.origin + '/auth/refresh'))
    .map(c => [c.name, c.value]).sort())
  const report = { answers: {}, changed: [], read: [] }
  const before = await cookies()
  await (await fetch(job.control + "/calls")).json()

  const evil = await context.newPage()
  for (const path of ['/auth/login', '/auth/logout', '/auth/refresh']) {
    const target = job.origin + path
    const note = async how => { if (await cookies() !== before) report.changed.push(how + ' ' + path) }
    await evil.goto(job.evil)
    const [answer] = await Promise.all([
      evil.waitForNavigation({ url: target }),
      evil.evaluate(to => {
        document.body.innerHTML = `<form method="post" enctype="text/plain" action="${to}"><input name='{"username":"mallory@example.com","password":"' value='x"}'></form>`
        document.forms[0].submit()
      }, target),
    ])
    report.answers['form ' + path] = answer.status()
    await note('form')
    await evil.goto(job.evil)
    for (const mode of ['no-cors', 'cors']) {
      const read = await evil.evaluate(async ([to, mode]) => {
        const init = { method: 'POST', mode, credentials: 'include', body: '{}' }
        if (mode === 'cors') init.headers = { 'Content-Type': 'application/json' }
        return fetch(to, init).then(r => r.type !== 'opaque', () => false)
      }, [target, mode])
      if (read) report.read.push(mode + ' ' + path)
      await note(mode)
    }
    await evil.evaluate(to => new Promise(done => {
      const image = new Image()
      image.onload = image.onerror = done
      image.src = to
    }), target)
    await note('image')
  }
  report.calls = await (await fetch(job.control + "/calls")).json()
  await page.reload()
  await page.locator('nav #who, nav #sign-in').waitFor()
  report.who = await page.locator('nav #who, nav #sign-in').innerText()
  return report
})

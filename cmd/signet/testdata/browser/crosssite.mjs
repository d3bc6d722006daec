// Login CSRF: pages of a sibling host and of another site (job.others) try to sign a browser in as
// mallory. The attackers have mallory's password and cookies. One browser is signed in as alice
// at job.origin, the other is signed out. The pages use forms, fetch and images, and the sibling
// also sets cookies for the whole domain. The servers of these pages set the cookies that the
// query names.
import { open, run, signIn } from './browser.mjs'

const paths = { alice: ['/auth/login', '/auth/logout', '/auth/refresh', '/api/notes'], nobody: ['/auth/login'] }
const out = 'nav #sign-in'

run(async (browser, job) => {
  const start = async () => {
    const { context, page } = await open(browser)
    await page.goto(job.origin + '/notes')
    return { context, page }
  }
  const enter = async (page, as) => {
    await page.locator('#page-sign-in').click()
    await signIn(page, as)
    await page.locator('#notes[data-loads="1"]').waitFor({ state: 'attached' })
  }
  const write = async (page, text) => {
    await page.locator('#add [name=text]').fill(text)
    await page.locator('#add button').click()
    await page.locator('#notes li', { hasText: text }).waitFor()
  }
  // The sign-in page sets the same cookie in every browser, to find out whether the browser
  // stores cookies, and a random one that names the browser for passkeys if there is none.
  // These cookies do not count as a change.
  const mark = /^__Host-signet_(last=-$|passkey=)/
  const cookies = async context => (await context.cookies(job.origin + '/auth/refresh')).map(c => `${c.name}=${c.value}`).filter(c => !mark.test(c)).sort()
  // shown reloads the app and returns the user and the notes that it shows, and the answers of
  // Signet and the API.
  const shown = async page => {
    await page.goto(job.origin + '/notes')
    await page.locator(`#who, ${out}`).waitFor()
    await page.waitForLoadState('networkidle')
    const direct = await page.evaluate(async () => {
      const refresh = await fetch('/auth/refresh', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' })
      const session = await (await fetch('/auth/session')).json()
      return [refresh.status, session.user?.email ?? '', (await fetch('/api/notes')).status]
    })
    return [await page.locator(`#who, ${out}`).innerText(), (await page.locator('#notes li').allInnerTexts()).join(), ...direct].join(' | ')
  }

  const alice = await start()
  await enter(alice.page, job)
  await write(alice.page, "alice's note")
  const mallory = await start()
  const form = await (async () => { // the fields of the sign-in form in mallory's browser
    await mallory.page.locator('#page-sign-in').click()
    await mallory.page.locator('form#login').waitFor()
    return mallory.page.locator('form#login').evaluate(f => Object.fromEntries(new FormData(f)))
  })()
  await mallory.page.goto(job.origin + '/notes')
  await enter(mallory.page, job.mallory)
  await write(mallory.page, "mallory's note")
  const nobody = await start()
  const report = { forms: {}, changed: [], read: [], shown: {}, took: {} }
  report.shown.mallory = await shown(mallory.page)
  const control = action => fetch(`${job.control}/${action}`)
  await control('calls')

  const json = JSON.stringify({ username: job.mallory.email, password: job.mallory.password })
  const [head, tail] = [json.slice(0, -2), json.slice(-2)] // a text/plain form puts "=" between name and value
  const asText = `<form method="post" enctype="text/plain"><input name='${head}' value='${tail}'></form>`
  const asForm = `<form method="post">${Object.entries({ ...form, username: job.mallory.email, password: job.mallory.password })
    .map(([name, value]) => `<input name="${name}" value="${value}">`).join('')}</form>`

  for (const [name, { context }] of Object.entries({ alice, nobody })) {
    const before = await cookies(context)
    for (const other of job.others) {
      const evil = await context.newPage()
      for (const path of paths[name]) {
        const target = job.origin + path
        const note = async how => { if (String(await cookies(context)) !== String(before)) report.changed.push(`${name}: ${how} ${other} ${path}`) }
        for (const [kind, html] of Object.entries({ text: asText, form: asForm })) {
          await evil.goto(other)
          const [answer] = await Promise.all([
            evil.waitForNavigation({ url: target }),
            evil.evaluate(([html, to]) => {
              document.body.innerHTML = html
              document.forms[0].action = to
              document.forms[0].submit()
            }, [html, target]),
          ])
          report.forms[`${name}: ${kind} ${other} ${path}`] = answer.status()
          await note(kind)
        }
        await evil.goto(other)
        for (const [mode, type] of [['no-cors', 'text/plain'], ['cors', 'application/json'], ['cors', 'application/x-www-form-urlencoded']]) {
          const read = await evil.evaluate(([to, mode, type, body]) => fetch(to, { method: 'POST', mode, credentials: 'include', body, headers: { 'Content-Type': type } })
            .then(r => r.type !== 'opaque', () => false), [target, mode, type, json])
          if (read) report.read.push(`${name}: ${mode} ${other} ${path}`)
          await note(mode)
        }
        await evil.evaluate(to => new Promise(done => {
          const image = new Image()
          image.onload = image.onerror = done
          image.src = to
        }), target)
        await note('image')
      }
      await evil.close()
    }
  }
  report.calls = await (await control('calls')).json()
  report.shown.alice = await shown(alice.page)
  report.shown.nobody = await shown(nobody.page)

  // The sibling sets mallory's cookies for the domain, by header and by script: on every path,
  // without a name, and with the name in lower and upper case.
  const [sibling] = job.others
  const domain = 'Domain=example.com; Secure'
  const planted = (await cookies(mallory.context)).flatMap(pair => [
    ...['/', '/auth', '/auth/refresh', '/auth/session', '/auth/login', '/api', '/api/notes'].map(path => `${pair}; Path=${path}; ${domain}`),
    `=${pair}; Path=/; ${domain}`, `=${pair}; Path=/auth/refresh; ${domain}`,
    `${pair.toLowerCase()}; Path=/; ${domain}`, `${pair.toUpperCase()}; Path=/; ${domain}`,
  ])
  const plant = async context => {
    const evil = await context.newPage()
    await evil.goto(sibling)
    await evil.evaluate(async lines => {
      for (const line of lines) {
        await fetch('/?' + new URLSearchParams({ set: line }))
        document.cookie = line
      }
    }, planted)
    await evil.close()
  }
  for (const [name, { context, page }] of Object.entries({ alice, nobody })) {
    await plant(context)
    report.took[name] = (await context.cookies()).filter(c => c.domain === '.example.com').map(c => c.name)
    report.shown[name + ', planted'] = await shown(page)
  }

  // The sibling fills the cookie jar, so that the browser deletes other cookies, and sets
  // mallory's cookies again.
  for (const [name, { context, page }] of Object.entries({ alice, nobody })) {
    const evil = await context.newPage()
    await evil.goto(sibling)
    await evil.evaluate(async domain => {
      for (let n = 0; n < 400; n++) document.cookie = `x${n}=1; Path=/; ${domain}`
    }, domain)
    await evil.close()
    await plant(context)
    report.shown[name + ', jar full'] = await shown(page)
  }
  await enter(nobody.page, job)
  report.shown['alice again'] = await shown(nobody.page)
  return report
}, { args: ['--ignore-certificate-errors'] })

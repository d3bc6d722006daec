// A single-page app with oidc-client-ts, which watches the session through check_session_iframe. The
// report lists the events of the library for each thing that happens in another tab, and the answers
// of the iframe to messages that the program sends itself.
import { open, run, signIn } from './browser.mjs'

run(async (browser, job) => {
  const { context, page, complaints } = await open(browser)
  const report = { events: {} }
  const tab = await context.newPage()
  const address = (path, values) => `${job.issuer}${path}?${new URLSearchParams(values)}`

  // signInTo signs in to the app in its own page, and waits until the iframe has answered twice.
  const signInTo = async () => {
    await page.goto(`${job.app}/start`, { waitUntil: 'commit' })
    if (await page.locator('form#login').or(page.locator('#ready')).getAttribute('id') === 'login') await signIn(page, job)
    await page.locator('#ready').waitFor()
    await page.waitForFunction(() => answers.filter(a => a === 'unchanged').length >= 2)
  }
  // happens does something in the other tab, and reports the events until the library has one.
  const happens = async (name, act) => {
    await page.evaluate(() => { events.length = 0; answers.length = 0 })
    await act()
    await page.waitForFunction(() => events.length > 0)
    report.events[name] = await page.evaluate(() => ({ events, answers: [...new Set(answers)] }))
  }
  const signInAs = async email => {
    await tab.goto(address('/authorize', { ...job.request, prompt: 'login' }))
    await tab.locator('#username').fill(email)
    await tab.locator('#password').fill(job.password)
    await tab.locator('#sign-in').click()
    await tab.waitForURL(`${job.app}/elsewhere?**`)
  }
  const signOut = async () => {
    await tab.goto(`${job.issuer}/end_session`)
    await tab.locator('#allow').click()
    await tab.locator('#again').waitFor()
  }

  await signInTo()
  report.stays = await page.evaluate(() => ({ events, answers: [...new Set(answers)] }))
  report.own = await page.evaluate(async ({ issuer }) => {
    // Compare the script's SHA-256 with that of the browser, for texts of every length around a block.
    const state = document.cookie.split('; ').find(c => c.startsWith('signet_state=')).slice('signet_state='.length)
    const frame = document.createElement('iframe')
    frame.src = `${issuer}/check_session`
    document.body.append(frame)
    await new Promise(done => { frame.onload = done })
    const ask = (message, target = issuer) => new Promise(done => {
      const take = event => {
        if (event.source !== frame.contentWindow) return
        window.removeEventListener('message', take)
        done(`${event.data} from ${event.origin}`)
      }
      window.addEventListener('message', take)
      frame.contentWindow.postMessage(message, target)
    })
    const made = async (client, origin, state) => {
      const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode([client, origin, state, 'salt'].join(' ')))
      return `${client} ${[...new Uint8Array(hash)].map(b => b.toString(16).padStart(2, '0')).join('')}.salt`
    }
    const lengths = []
    for (let n = 1; n <= 200; n++) {
      const client = 'c'.repeat(n)
      if (await ask(await made(client, location.origin, state)) !== `unchanged from ${issuer}`) lengths.push(n)
    }
    return {
      wrongLengths: lengths,
      otherState: await ask(await made('c', location.origin, 'x')), otherOrigin: await ask(await made('c', 'https://app.example.com', state)),
      noState: await ask(await made('c', location.origin, '')),
      errors: [await ask('x'), await ask(''), await ask({}), await ask('c no-salt'), await ask(`c ${'0'.repeat(64)}.`), await ask('c d e')],
    }
  }, job)
  await happens('sign-out', signOut)
  await signInTo()
  await happens('another user', () => signInAs(job.other))
  await signOut()
  await page.evaluate(() => manager.removeUser())
  await page.goto(`${job.app}/?anonymous`)
  await page.waitForFunction(() => answers.includes('unchanged'))
  await happens('sign-in', () => signInAs(job.email))
  report.complaints = complaints
  return report
})

// People use the example app in development. They sign in through the simulated Google and GitHub
// and with the password form of the app, use notes, profile and the list of sessions, and sign
// out here or everywhere. One of them also uses a second browser.
import { open, readable, run } from './browser.mjs'

const out = 'nav #sign-in'

run(async (browser, job) => {
  const { page, complaints } = await open(browser)
  const other = await open(browser)
  const report = { visits: {}, readable: [], complaints }
  const who = async tab => {
    await tab.locator(`#who, ${out}`).waitFor()
    return tab.locator(`#who, ${out}`).innerText()
  }
  const look = async () => report.readable.push(...await readable(page), ...await readable(other.page))
  const to = async (path, tab = page) => {
    await tab.goto(job.origin + path)
    return who(tab)
  }
  const notes = async tab => {
    await tab.locator('#notes:not([data-loads="0"])').waitFor({ state: 'attached' })
    return tab.locator('#notes li').allInnerTexts()
  }
  // visit reports the notes and the profile of a person after a sign-in, and adds a note.
  const visit = async name => {
    const found = await notes(page)
    await page.locator('#add [name=text]').fill(`by ${name}`)
    await page.locator('#add button').click()
    await page.locator('#notes li', { hasText: `by ${name}` }).waitFor()
    await look()
    await page.locator('nav a', { hasText: 'Profile' }).click()
    report.visits[name] = { found, who: await who(page), profile: await page.locator('dl').innerText() }
  }
  const leave = async (tab = page) => {
    await tab.locator('#sign-out').click()
    await tab.locator(out).waitFor()
  }
  const password = async (tab, password) => {
    await tab.locator('#password-sign-in [name=username]').fill(job.email)
    await tab.locator('#password-sign-in [name=password]').fill(password)
    await tab.locator('#password-sign-in button').click()
  }

  await to('/', other.page)
  report.public = await to('/')
  for (const [connector, account] of [['google', '#account-ada'], ['github', '#account-octo']]) {
    await to('/notes')
    await page.locator('#page-sign-in').click()
    await page.locator(`#connector-${connector}`).click()
    await page.locator(account).click()
    await visit(connector)
    await leave()
  }

  await to('/sign-in?to=/notes')
  await password(page, 'not the password')
  report.refused = await page.locator('#password-sign-in [role=alert]').innerText()
  await password(page, job.password)
  await page.waitForURL(job.origin + '/notes')
  await visit('password')

  // The same person signs out in the other browser, and stays signed in here.
  await to('/notes', other.page)
  await password(other.page, job.password)
  report.shared = await notes(other.page)
  await page.locator('a', { hasText: 'Your sessions' }).click()
  report.sessions = await page.locator('#sessions > li').count()
  await leave(other.page)
  report.here = await to('/notes')
  await password(other.page, job.password)
  await notes(other.page)

  // Then the person signs out everywhere.
  await to('/profile')
  await page.locator('a', { hasText: 'Your sessions' }).click()
  await page.locator('#end-all').click()
  await page.locator('#confirm').click()
  await page.getByRole('heading', { name: 'signed out' }).waitFor()
  report.everywhere = [await to('/notes'), await to('/notes', other.page)]
  await look()
  return report
})

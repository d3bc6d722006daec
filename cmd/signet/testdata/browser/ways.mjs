// Sign-ins with restrictions: an account without a password, an account with only GitHub that must
// sign in again, tabs with an old sign-in page, and a browser that blocks cookies.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { open, run, signIn, tokens } from './browser.mjs'

run(async (browser, job) => {
  const report = { complaints: [] }
  const visit = async (name, story) => {
    const { context, page, complaints } = await open(browser)
    const text = async where => (await page.locator(where).innerText()).trim()
    report[name] = await story(page, text, context)
    report.complaints.push(...complaints)
    await context.close()
  }
  const openSignIn = async page => {
    await page.goto(`${job.issuer}/demo`)
    await page.locator('#demo-sign-in').click()
    await page.locator('form#login').waitFor()
  }
  const signInWith = async (page, connector, account) => {
    await page.locator(`#connector-${connector}`).click()
    await page.locator(`#account-${account}`).click()
  }
  const allowAndReadSubject = async page => {
    const allow = page.locator('#allow')
    await allow.or(page.locator('#userinfo')).waitFor()
    if (await allow.count()) await allow.click()
    await page.locator('#userinfo').waitFor()
    return (await tokens(page))[0].claims.sub
  }

  // Two connectors, one person, no password.
  await visit('first', async page => {
    await openSignIn(page)
    await signInWith(page, 'google', 'ada')
    return { sub: await allowAndReadSubject(page) }
  })
  await visit('second', async (page, text) => {
    await openSignIn(page)
    await signInWith(page, 'github', 'ada')
    const prove = await text('main')
    const ways = { password: await page.locator('#password').count(), google: await page.locator('#connector-google').count(), github: await page.locator('#connector-github').count() }
    await signInWith(page, 'google', 'ada')
    await page.locator('#connect').waitFor()
    const asked = await text('h1')
    await page.locator('#connect').click()
    return { prove, ways, asked, sub: await allowAndReadSubject(page) }
  })
  await visit('third', async page => {
    await openSignIn(page)
    await signInWith(page, 'github', 'ada')
    return { sub: await allowAndReadSubject(page) }
  })

  // An account with only GitHub: GitHub cannot confirm a new sign-in.
  await visit('alone', async (page, text) => {
    await page.goto(`${job.issuer}/account/sessions/end-all`)
    await signInWith(page, 'github', 'octo')
    await page.locator('#help').waitFor()
    const seen = { title: await text('h1'), why: await text('#why'), help: await text('#help'), forms: await page.locator('form').count() }
    await page.locator('#cancel').click()
    await page.locator('#sign-out').waitFor()
    return { ...seen, back: new URL(page.url()).pathname }
  })

  // The back button, and a tab that still shows the sign-in page.
  await visit('tabs', async (page, text, context) => {
    await page.goto(`${job.issuer}/account`)
    await page.locator('form#login').waitFor()
    const tab = await context.newPage()
    await tab.goto(`${job.issuer}/account/sessions`)
    await tab.locator('form#login').waitFor()
    await signIn(page, job)
    await page.locator('#account').waitFor()
    await page.goBack()
    await page.locator('#account').waitFor()
    await tab.reload()
    await tab.locator('#sessions').waitFor()
    return { back: new URL(page.url()).pathname, tab: new URL(tab.url()).pathname }
  })

  // The settings of the browser block cookies.
  const profile = mkdtempSync(join(tmpdir(), 'signet-'))
  mkdirSync(join(profile, 'Default'))
  writeFileSync(join(profile, 'Default', 'Preferences'), JSON.stringify({ profile: { default_content_setting_values: { cookies: 2 } } }))
  const blocked = await chromium.launchPersistentContext(profile, { executablePath: job.chromium, args: ['--no-sandbox', '--disable-gpu', '--no-first-run'] })
  try {
    blocked.setDefaultTimeout(20_000)
    const page = await blocked.newPage()
    report.blocked = []
    for (const send of [() => signIn(page, job), () => page.locator('#connector-google').click()]) {
      await page.goto(`${job.issuer}/account`)
      await page.locator('form#login').waitFor()
      await send()
      await page.locator('#start').waitFor()
      report.blocked.push(await page.locator('main').innerText())
      await page.locator('#start').click()
      await page.locator('form#login').waitFor()
    }
    report.kept = (await blocked.cookies()).length
  } finally {
    await blocked.close()
    rmSync(profile, { recursive: true, force: true })
  }
  return report
})

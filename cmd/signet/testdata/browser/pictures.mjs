// Takes the pictures of README.md: three pages, each light and dark. Times, IDs and the port differ
// in each run, so the pictures show fixed values.
import { open, run, signIn } from './browser.mjs'

run(async (browser, job) => {
  const report = { pictures: {}, complaints: [] }
  let moved = 0 // milliseconds by which the server's clock is ahead
  const visit = async story => {
    const { context, page, complaints } = await open(browser, { viewport: { width: 720, height: 820 }, deviceScaleFactor: 1.25 })
    await story(page)
    report.complaints.push(...complaints)
    await context.close()
  }
  const picture = async (page, name) => {
    await page.evaluate(fix, Date.now() + moved)
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      const png = await page.screenshot({ animations: 'disabled', caret: 'hide' })
      report.pictures[`${name}-${colorScheme}`] = png.toString('base64')
    }
  }

  await visit(async page => {
    await page.goto(`${job.issuer}/demo`)
    await page.locator('#demo-sign-in').click()
    await page.locator('#sign-in').waitFor()
    await page.locator('#username').fill(job.email)
    await picture(page, 'sign-in')
    await page.goto(`${job.issuer}/account`)
    await signIn(page, job)
    await page.locator('#account').waitFor()
    await picture(page, 'account')
  })
  // The keys rotated once, ten days ago.
  const clock = async days => {
    await fetch(`${job.clock}?seconds=${days * 24 * 3600}`)
    moved += days * 24 * 3_600_000
  }
  const published = async () => (await (await fetch(`${job.issuer}/jwks`)).json()).keys.map(key => key.kid).join()
  const first = await published()
  await clock(36)
  while (await published() === first) await new Promise(done => setTimeout(done, 200))
  await clock(10)
  await visit(async page => {
    await page.goto(`${job.issuer}/admin/keys`)
    await signIn(page, job.admin)
    await page.locator('#keys').waitFor()
    await picture(page, 'keys')
  })
  return report
})

// fix replaces the texts that differ in each run.
function fix(serverNow) {
  // Now is shown as 1 March, and other times keep their distance from now in whole hours.
  const now = Date.UTC(2026, 2, 1, 12)
  document.querySelectorAll('time').forEach(time => {
    const hours = Math.round((Date.parse(time.dateTime) - serverNow) / 3_600_000)
    const shown = new Date(now + hours * 3_600_000)
    time.textContent = `${shown.getUTCDate()} ${shown.toLocaleString('en-GB', { month: 'long', timeZone: 'UTC' })} ${shown.getUTCFullYear()}, ${String(shown.getUTCHours()).padStart(2, '0')}:00 UTC`
  })
  document.querySelectorAll('code').forEach((id, i) => {
    if (id.textContent.length > 20) id.textContent = `${i}zbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs`
  })
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (texts.nextNode()) {
    texts.currentNode.data = texts.currentNode.data.replaceAll(location.host, 'id.example.com')
  }
  document.activeElement?.blur()
}

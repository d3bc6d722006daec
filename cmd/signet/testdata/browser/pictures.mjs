// The pictures of README.md: three pages, in light and in dark. Times, ids and the port
// differ in each run, so that the pictures show fixed ones.
import { open, run, signIn } from './browser.mjs'

run(async (browser, job) => {
  const report = { pictures: {}, complaints: [] }
  const visit = async story => {
    const { context, page, complaints } = await open(browser, { viewport: { width: 720, height: 820 }, deviceScaleFactor: 1.25 })
    await story(page)
    report.complaints.push(...complaints)
    await context.close()
  }
  const picture = async (page, name) => {
    await page.evaluate(fix)
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
  await visit(async page => {
    await page.goto(`${job.issuer}/admin/keys`)
    await signIn(page, job.admin)
    await page.locator('#keys').waitFor()
    await picture(page, 'keys')
  })
  return report
})

// fix replaces the texts of the page that differ in each run.
function fix() {
  document.querySelectorAll('time').forEach(time => { time.textContent = '1 March 2026, 12:00 UTC' })
  document.querySelectorAll('.ago').forEach(ago => { ago.textContent = '(in 4 days)' })
  document.querySelectorAll('code').forEach((id, i) => {
    if (id.textContent.length > 20) id.textContent = `${i}zbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs`
  })
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (texts.nextNode()) {
    texts.currentNode.data = texts.currentNode.data.replaceAll(location.host, 'id.example.com')
  }
  document.activeElement?.blur()
}

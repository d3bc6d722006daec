// Sign-outs of which applications are notified in iframes. In each case the browser signs in to
// every application of the case and signs out. The report says where the browser ends, how long that
// takes, which applications still know the person, and what the checks of the pages complain about.
import { open, run, signIn } from './browser.mjs'
import { loadAxe, problemsOf } from './judge.mjs'

run(async (browser, job) => {
  const ends = {}, problems = []
  for (const [name, { apps, signOut, scripts, checked }] of Object.entries(job.cases)) {
    const { context, page, complaints } = await open(browser, { javaScriptEnabled: scripts })
    for (const app of apps) {
      await page.goto(app.start)
      if (page.url().startsWith(job.issuer)) await signIn(page, job)
      await page.waitForURL(`${app.origin}/callback?**`)
    }
    if (checked) { // without its script, the page waits for the frame that never answers
      await loadAxe(page)
      await page.route('**/site.*.js', route => route.fulfill({ body: '', contentType: 'text/javascript' }))
    }
    await page.goto(signOut)
    const began = Date.now()
    await page.locator('#allow').click({ noWaitAfter: true })
    if (checked) {
      await page.locator('iframe').first().waitFor({ state: 'attached' })
      problems.push(...await problemsOf(page))
      await page.locator('#continue').click({ noWaitAfter: true })
    }
    if (apps.some(app => signOut.includes(encodeURIComponent(`${app.origin}/bye`)))) {
      if (!scripts && checked === undefined && apps.some(app => app.hangs)) await page.locator('#continue').click({ noWaitAfter: true })
      await page.waitForURL('**/bye?**', { waitUntil: 'commit' })
    } else {
      await page.locator('#again').waitFor()
      await page.waitForLoadState('load')
    }
    const took = Date.now() - began, at = page.url(), known = []
    for (const app of apps) {
      await page.goto(`${app.origin}/home`)
      if ((await page.locator('body').innerText()) === 'signed in') known.push(app.name)
    }
    ends[name] = { took, at, known, complaints }
    await context.close()
  }
  return { ends, problems }
})

// Sign-ins at a client that asks for response_mode=form_post. In each case the browser signs in
// and consents, and the report says what the client shows at the end.
import { open, run, signIn } from './browser.mjs'

run(async (browser, job) => {
  const ends = {}
  for (const [name, { options, url }] of Object.entries(job.cases)) {
    const { context, page, complaints } = await open(browser, options)
    await page.goto(url)
    await signIn(page, job)
    await page.locator('#allow').click()
    if (options.javaScriptEnabled === false) await page.locator('form#response #continue').click()
    await page.waitForURL('**/end?**')
    ends[name] = { shows: await page.locator('body').innerText(), complaints }
    await context.close()
  }
  return { ends }
})

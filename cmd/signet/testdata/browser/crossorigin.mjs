// A page of each origin in job.pages fetches each of job.calls. The report has the part of the
// answer that a script can read, or the error of the browser.
import { open, run } from './browser.mjs'

run(async (browser, job) => {
  const saw = {}
  for (const [name, origin] of Object.entries(job.pages)) {
    const { context, page } = await open(browser)
    await page.goto(origin)
    saw[name] = await page.evaluate(async calls => {
      const read = {}
      for (const [name, { url, ...options }] of Object.entries(calls)) {
        try {
          const answer = await fetch(url, options)
          read[name] = `${answer.status} ${Object.keys(await answer.json()).sort().slice(0, 2).join()}`
        } catch (error) {
          read[name] = error.name
        }
      }
      return read
    }, job.calls)
    await context.close()
  }
  return { saw }
})

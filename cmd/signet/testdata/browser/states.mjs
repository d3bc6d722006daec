// Checks every state of every page in the browser. The pages are the golden files, which
// job.origin serves.
import { open, run } from './browser.mjs'
import { pictures, problemsOf } from './judge.mjs'

run(async (browser, job) => {
  const { page, complaints } = await open(browser)
  await page.route(url => url.origin !== job.origin, route => route.abort()) // block the logos of clients
  const report = { problems: [] }
  for (const name of job.pages) {
    await page.goto(`${job.origin}/${name}`)
    for (const problem of await problemsOf(page, pictures(job.screenshots, name))) report.problems.push(`${name}: ${problem}`)
  }
  report.complaints = complaints.filter(c => !c.includes('net::ERR_FAILED') && !c.startsWith('foreign host: https://auth.example.com/logos/'))
  return report
})

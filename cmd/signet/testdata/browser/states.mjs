// Checks every state of every page in the browser. The pages are the golden files, which
// job.origin serves.
import { open, run } from './browser.mjs'
import { loadAxe, pictures, problemsOf } from './judge.mjs'

run(async (browser, job) => {
  const { page, complaints } = await open(browser)
  await loadAxe(page)
  // A page that submits itself must stay. A route would also block it, but disables the cache.
  await page.addInitScript(() => addEventListener('submit', event => event.preventDefault(), true))
  const report = { problems: [] }
  for (const [number, name] of job.pages.entries()) {
    await page.goto(`${job.origin}/${name}`)
    for (const problem of await problemsOf(page, job.every ? undefined : number, pictures(job.screenshots, name))) report.problems.push(`${name}: ${problem}`)
  }
  report.complaints = complaints
  return report
})

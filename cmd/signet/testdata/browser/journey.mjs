// Walks a journey through pages and mails, in each of the ways of job.walks at the same time. Every
// page that a story sees is judged. The walks 0 and 2 have JavaScript.
import { open, run } from './browser.mjs'
import { loadAxe, pictures, problemsOf } from './judge.mjs'

const phone = { width: 360, height: 740 }
const wide = { width: 1280, height: 900 }

// journey calls story for each walk, and prints the reports by the name of the walk.
export function journey(story) {
  return run(async (browser, job) => Object.fromEntries(await Promise.all(job.walks.map(async (walk, number) => {
    const w = new Walk(browser, job, walk, number)
    try {
      await story(w, await w.visitor())
    } catch (error) {
      w.report.problems.push(`after “${w.report.pages.at(-1)}”: ${error.message}`)
    }
    return [walk.name, w.report]
  }))))
}

// Walk is one walk of a journey, by one person.
class Walk {
  constructor(browser, job, walk, number) {
    Object.assign(this, { browser, job, number, ...walk })
    this.report = { problems: [], pages: [], fields: {}, saw: {}, complaints: [] }
  }

  // visitor opens a browser with no cookies.
  async visitor() {
    const screen = this.wide ? { viewport: wide } : { viewport: phone, isMobile: true, hasTouch: true }
    const { page, complaints } = await open(this.browser, { javaScriptEnabled: this.javascript, ...screen })
    if (this.javascript) await loadAxe(page)
    this.report.complaints = complaints.concat(this.report.complaints)
    page.on('request', async request => {
      const { referer } = await request.allHeaders().catch(() => ({})) // headers() lacks the policy of the page
      if (referer?.includes('link=')) this.report.problems.push(`the link is in the Referer of ${request.url()}`)
    })
    return new Visitor(this, page)
  }

  // mail waits for a mail with the subject to the address, and returns it. Its link, if it has one,
  // is the newest, which opens: opening it uses nothing up.
  async mail(to, subject) {
    for (let tries = 0; tries < 200; tries++) {
      const all = await (await fetch(`${this.job.inbox}/?${new URLSearchParams({ to })}`)).json()
      const mail = all.findLast(m => m.subject === subject)
      const link = /https?:\S*[?]link=\S+/.exec(mail?.text)?.[0]
      if (mail && (!link || (await fetch(link)).ok)) return { ...mail, link }
      await new Promise(done => setTimeout(done, 100))
    }
    throw new Error(`no mail “${subject}” to ${to}`)
  }
}

// Visitor is one browser of a walk.
class Visitor {
  constructor(walk, page) {
    Object.assign(this, { walk, page })
  }

  // sees waits for an element of the next page, and judges the page. The page must not name a link
  // that was opened before.
  async sees(title, selector) {
    const { page, walk: { report, number, job, javascript } } = this
    await page.locator(selector).first().waitFor()
    await page.waitForLoadState()
    const found = await page.evaluate(look)
    const note = problem => report.problems.push(`${title}: ${problem}`)
    found.problems.forEach(note)
    for (const [field, attributes] of Object.entries(found.fields)) report.fields[`${title}: ${field}`] = attributes
    report.saw[`focus of ${title}`] = found.focus
    // In a short run, the two walks with JavaScript take turns: axe-core takes most of the time.
    if (javascript && (job.every || number / 2 === report.pages.length % 2)) {
      const size = page.viewportSize()
      const problems = await problemsOf(page, job.every ? undefined : report.pages.length, pictures(job.screenshots, `${number} ${title}`))
      problems.forEach(note)
      await page.setViewportSize(size)
    }
    report.pages.push(title)
  }

  // saw notes the text of an element.
  async saw(what, selector) {
    this.walk.report.saw[what] = (await this.page.locator(selector).first().innerText()).trim()
  }

  // proves goes from the page that asks for a proof of the address to the page that adds the first
  // factor, over the mail.
  async proves() {
    const { page, walk } = this
    await this.sees('check your mail', '#prove-address #send-link')
    await this.press('send-link')
    await this.sees('mail sent', '#sent')
    await page.goto((await walk.mail(walk.email, 'Add a passkey or a second factor')).link)
    await this.sees('link before the first factor', '#go-on')
    await this.press('go-on')
  }

  async fill(fields) {
    for (const [id, text] of Object.entries(fields)) await this.page.locator(`#${id}`).fill(text)
  }

  press(id) {
    return this.page.locator(`#${id}`).click()
  }

  // pressTwice presses a button as an impatient person does.
  pressTwice(id) {
    return this.page.locator(`#${id}`).dblclick()
  }

  // back presses the browser's Back button.
  async back(selector) {
    await this.page.goBack()
    await this.page.locator(selector).first().waitFor()
  }
}

// look checks the page as it is in the window, and reads its fields and the element that has the
// focus. It must also run without JavaScript of the page.
function look() {
  const problems = []
  const { scrollWidth } = document.scrollingElement
  if (scrollWidth > innerWidth) problems.push(`scrolls sideways: ${scrollWidth} px in ${innerWidth} px`)
  if (document.referrer.includes('link=')) problems.push(`the link is in document.referrer: ${document.referrer}`)
  if (document.querySelectorAll('h1').length !== 1) problems.push('does not have one heading')
  if (document.querySelector('#problem') && !document.title.startsWith('Error: ')) problems.push(`the title does not name the error: ${document.title}`)
  const fields = [...document.querySelectorAll('input[autocomplete]')].map(e => [e.id || e.name, `${e.type} ${e.autocomplete}`])
  const focus = document.activeElement === document.body ? '' : document.activeElement.id || document.activeElement.tagName
  return { problems, fields: Object.fromEntries(fields), focus }
}

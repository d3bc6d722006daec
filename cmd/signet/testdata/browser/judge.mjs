// Checks of the page that is open in the browser. axe-core checks it in light, dark and forced
// colors, in a narrow and a wide window; in a short run the pages take turns. overflows checks
// that no element is cut off or leaves the window, also with text from right to left and with
// more spacing. weightOf measures the size of the page.
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const axeTags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

const windows = [{ width: 320, height: 720 }, { width: 1280, height: 900 }]

// Only the rules about colors depend on the color scheme.
const colors = [
  { name: 'light', media: { colorScheme: 'light', forcedColors: 'none' }, rules: { type: 'tag', values: axeTags } },
  { name: 'dark', media: { colorScheme: 'dark', forcedColors: 'none' }, rules: { type: 'rule', values: ['color-contrast', 'link-in-text-block'] } },
  { name: 'forced', media: { colorScheme: 'dark', forcedColors: 'active' }, rules: { type: 'rule', values: ['color-contrast', 'link-in-text-block'] } },
]

// Text layouts: WCAG 2.2, 1.4.10 and 1.4.12, and text from right to left.
const readings = [
  { name: 'plain', dir: 'ltr', css: '' },
  { name: 'right to left', dir: 'rtl', css: '' },
  { name: 'spaced', dir: 'ltr', css: '* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important } p { margin-block-end: 2em !important }' },
]

// loadAxe loads axe-core into each page that is opened later. The debugger does so, because the pages
// forbid foreign scripts.
export function loadAxe(page) {
  return page.addInitScript({ content: axeSource })
}

// takesTurn reports whether axe-core checks the page with this number in a window and colors, in a
// short run: in light colors in one window, and in dark or forced colors in the other window.
function takesTurn(number, window, color) {
  return (color === 0) === (window === number % 2) && (color === 0 || color === 1 + (number >> 1) % 2)
}

// problemsOf returns the problems of the page, one line each. number is the place of the page in
// the walk; undefined stands for every combination of window and colors. The optional function
// picture saves a screenshot of each variant; see pictures.
export async function problemsOf(page, number, picture) {
  const problems = []
  for (const [window, viewport] of windows.entries()) {
    await page.setViewportSize(viewport)
    const note = (way, found) => problems.push(...found.map(f => `${viewport.width} px, ${way}: ${f}`))
    for (const [color, { name, media, rules }] of colors.entries()) {
      if (number !== undefined && !takesTurn(number, window, color)) continue
      await page.emulateMedia({ ...media, reducedMotion: 'reduce' }) // a color in the middle of a transition is not in our palette
      const { violations } = await page.evaluate(runOnly => globalThis.axe.run({ runOnly, resultTypes: ['violations'] }), rules)
      note(name, violations.flatMap(v => v.nodes.map(n => `${v.id}: ${n.target.join(' ')}: ${n.failureSummary.replaceAll('\n', ' ')}`)))
      await picture?.(page, `${name}-${viewport.width}`)
    }
    await page.emulateMedia({ colorScheme: 'light', forcedColors: 'none' })
    for (const reading of readings) {
      if (number !== undefined && reading !== readings[0] && window !== number % 2) continue
      note(reading.name, await page.evaluate(overflows, reading))
      if (reading.name !== 'plain') await picture?.(page, `${reading.name.replaceAll(' ', '-')}-${viewport.width}`)
    }
    await page.evaluate(overflows, readings[0])
  }
  return problems
}

// overflows sets the text layout and lists the elements that leave the window or their own box.
// Elements that scroll, and elements only for screen readers, are ignored.
function overflows({ dir, css }) {
  document.documentElement.dir = dir
  const sheet = new CSSStyleSheet() // the content security policy of the pages forbids a style element
  sheet.replaceSync(css)
  document.adoptedStyleSheets = [sheet]
  const wide = document.documentElement.clientWidth
  const name = e => `${e.tagName.toLowerCase()}${e.id && '#' + e.id}${typeof e.className === 'string' && e.className && '.' + e.className}`
  const found = []
  for (const e of document.querySelectorAll('body, body *')) {
    const box = e.getBoundingClientRect()
    if (e.matches('input') || e.closest('.unseen, .scroll > *, nav > ul > *') || !box.width) continue
    if (box.left < -1 || box.right > wide + 1) found.push(`${name(e)} reaches from ${box.left} to ${box.right} px in a window of ${wide} px`)
    else if (e.clientWidth && e.scrollWidth > e.clientWidth + 1 && !e.matches('.scroll, nav > ul')) found.push(`${name(e)} has ${e.scrollWidth} px of content in ${e.clientWidth} px`)
    else if (e.scrollHeight > e.clientHeight + 1 && getComputedStyle(e).overflowY !== 'visible') found.push(`${name(e)} hides the lower part of its content`)
  }
  return found
}

// weightOf returns the transferred bytes of the page and its files, without headers, and the
// number of requests.
export async function weightOf(page) {
  await page.waitForLoadState('load')
  return page.evaluate(() => {
    const entries = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
    return { bytes: entries.reduce((sum, e) => sum + e.encodedBodySize, 0), requests: entries.length }
  })
}

// pictures returns a function that saves screenshots of a page in the folder, or undefined
// without a folder.
export function pictures(folder, title) {
  if (!folder) return undefined
  mkdirSync(folder, { recursive: true })
  return (page, way) => page.screenshot({ path: `${folder}/${title.replaceAll(/[ ,]+/g, '-')}-${way}.png`, fullPage: true })
}

// A person without a second factor signs in to an application, at a server that requires one.
import { createHmac } from 'node:crypto'
import { journey } from './journey.mjs'

// codeOf returns the code that the app shows now (RFC 6238).
function codeOf(secret) {
  const bits = [...secret.replaceAll(' ', '')].map(c => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('')
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)))
  const sum = createHmac('sha1', Buffer.from(bits.match(/.{8}/g).map(b => parseInt(b, 2)))).update(counter).digest()
  return String((sum.readUInt32BE(sum.at(-1) & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

journey(async (w, v) => {
  const { job, email } = w
  await v.page.goto(job.app)
  await v.press('go')
  await v.page.locator('#sign-in').waitFor()
  await v.fill({ username: email, password: job.password })
  await v.press('sign-in')
  await v.sees('a factor is required', 'form#prove-address')
  await v.saw('why', '#why')
  await v.proves()
  await v.sees('ways', '#add-app')
  await v.press('add-app')
  await v.sees('add an app', 'form#add-totp')
  await v.fill({ code: codeOf(await v.page.locator('#secret').innerText()) })
  await v.press('confirm')
  await v.sees('recovery codes', '#codes')
  await v.press('saved')
  await v.page.locator('#person').waitFor()
  await v.saw('person', '#person')
})

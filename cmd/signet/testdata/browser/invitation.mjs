// An invited person opens the link of the invitation, creates the account, and goes on to the
// application.
import { journey } from './journey.mjs'

journey(async (w, v) => {
  const { job, email } = w
  const link = w.link ?? (await w.mail(email, `Your invitation to ${new URL(job.issuer).host}`)).link
  await v.page.goto(link)
  await v.sees('invitation', 'form#new-account')
  w.report.saw.name = await v.page.locator('#name').inputValue()
  await v.fill({ name: 'Ada <b>Lovelace</b>', 'new-password': 'short' })
  await v.press('create')
  await v.sees('invitation, refused', '#problem')
  w.report.saw.address = v.page.url()
  w.report.saw['name after the refusal'] = await v.page.locator('#name').inputValue()
  await v.fill({ 'new-password': job.next })
  await v.pressTwice('create')
  await v.sees('account ready', '#continue, #start')
  const ready = v.page.url()
  await v.page.goto(link)
  await v.sees('used invitation', '#start')
  await v.press('start')
  await v.page.locator('#sign-in').waitFor()
  // A second click without scripts may have shown the page of the used link instead.
  if (w.javascript) {
    await v.page.goto(ready)
    await v.press('continue')
  } else {
    await v.page.goto(job.app)
  }
  await v.press('go')
  await v.page.locator('#sign-in').waitFor()
  await v.fill({ username: email, password: job.next })
  await v.press('sign-in')
  await v.page.locator('#person').waitFor()
  await v.saw('person', '#person')
})

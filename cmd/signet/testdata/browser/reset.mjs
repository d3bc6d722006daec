// A person forgot the password, and gets back into an application: from its sign-in page over the
// mail to the sign-in with the new password.
import { journey } from './journey.mjs'

journey(async (w, v) => {
  const { job, email } = w
  await v.page.goto(job.app)
  await v.press('go')
  await v.sees('sign in', '#sign-in')
  await v.press('forgot')
  await v.sees('forgot password', 'form#reset')
  await v.fill({ email })
  await v.pressTwice('send')
  await v.sees('check your mail', 'h1:text("Check your mail")')
  await v.back('form#reset')
  await v.fill({ email: 'ada..example@reset.example' })
  await v.press('send')
  await v.sees('forgot password, refused', '#problem')
  await v.fill({ email })
  await v.press('send')
  await v.page.locator('h1:text("Check your mail")').waitFor()

  const { link } = await w.mail(email, 'Choose a new password')
  await v.page.goto(link)
  await v.sees('new password', '#new-password-form')
  await v.fill({ 'new-password': 'short' })
  await v.press('set-password')
  await v.sees('new password, refused', '#problem')
  w.report.saw.address = v.page.url()
  await v.fill({ 'new-password': job.next })
  await v.pressTwice('set-password')
  await v.sees('password changed', '#back, #start')
  const back = v.page.locator('#back') // without scripts, a second click may show a used link
  const next = await back.count() ? await back.evaluate(a => a.href) : `${job.app}/go`
  await v.page.goto(link)
  await v.sees('used link', '#start')
  await v.press('start')
  await v.page.locator('#sign-in').waitFor()

  await v.page.goto(next)
  await v.page.locator('#sign-in').waitFor()
  await v.fill({ username: email, password: job.password })
  await v.press('sign-in')
  await v.sees('sign in, refused', '#problem')
  await v.fill({ password: job.next })
  await v.press('sign-in')
  await v.page.locator('#person').waitFor()
  await v.saw('person', '#person')
})

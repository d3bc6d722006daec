// A new person comes from an application, creates an account with a mailed link, and is signed in to
// the application: in the browser that asked for the link, and after the link was opened in another.
import { journey } from './journey.mjs'

journey(async (w, v) => {
  const { job, email } = w
  await v.page.goto(job.app)
  await v.press('go')
  await v.page.locator('#sign-in').waitFor()
  await v.press('create-account')
  await v.sees('create account', 'form#signup')
  await v.fill({ email })
  await v.pressTwice('send')
  await v.sees('check your mail', 'h1:text("Check your mail")')
  await v.back('form#signup')
  await v.fill({ email: `ada..${email}` })
  await v.press('send')
  await v.sees('create account, refused', '#problem')
  await v.fill({ email })
  await v.press('send')
  await v.page.locator('h1:text("Check your mail")').waitFor()

  const { link } = await w.mail(email, 'Confirm your email address')
  await v.page.goto(link)
  await v.sees('new account', 'form#new-account')
  await v.fill({ name: 'Ada', 'new-password': 'short' })
  await v.press('create')
  await v.sees('new account, refused', '#problem')
  w.report.saw.address = v.page.url()
  await v.fill({ 'new-password': job.next })
  if (w.javascript) await v.pressTwice('create')
  else await v.press('create')
  await v.page.locator('#person').waitFor()
  await v.saw('person', '#person')
  w.report.saw['referrer at the application'] = await v.page.evaluate(() => document.referrer)

  // The mail is read in another browser.
  const asks = await w.visitor()
  const reads = await w.visitor()
  const second = `second-${email}`
  await asks.page.goto(`${job.app}/go?prompt=create`)
  await asks.fill({ email: second })
  await asks.press('send')
  await asks.page.locator('h1:text("Check your mail")').waitFor()
  await reads.page.goto((await w.mail(second, 'Confirm your email address')).link)
  await reads.fill({ name: 'Bob', 'new-password': job.next })
  await reads.press('create')
  await reads.sees('account ready', 'h1:text("Your account is ready")')
  await reads.back('#start')
  await reads.sees('used link', '#start')
  await reads.page.goto(`${job.issuer}/account`)
  await reads.page.locator('#sign-in').waitFor()
  await asks.press('back')
  await asks.page.locator('#sign-in').waitFor()
  await asks.fill({ username: second, password: job.next })
  await asks.press('sign-in')
  await asks.page.locator('#person').waitFor()
  await asks.saw('second person', '#person')

  // A person with an account asks for another account.
  if (!w.wide) return
  await reads.page.goto(`${job.app}/go?prompt=create`)
  await reads.fill({ email: second })
  await reads.press('send')
  await reads.page.locator('h1:text("Check your mail")').waitFor()
  w.report.saw['mail to a known address'] = (await w.mail(second, 'You have an account already')).text
})

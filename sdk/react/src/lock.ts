import { locate } from './call.js'

let last: Promise<any> = Promise.resolve()

/**
 * Runs job while no other job runs in this browser, by Web Locks. Pages without TLS have
 * no Web Locks: there it runs while no other job runs in this tab, and the grace of the
 * server covers the other tabs. The argument of job says whether it waited for another job.
 */
export async function exclusive<T>(job: (waited: boolean) => Promise<T>): Promise<T> {
  const locks = navigator.locks
  if (!locks) {
    const alone = () => job(false)
    return last = last.then(alone, alone)
  }
  const name = 'signet' + locate('')
  const leaving = new AbortController()
  const { signal } = leaving
  const leave = () => leaving.abort()
  const left = new Promise(done => signal.addEventListener('abort', done))
  let result: Promise<T> | undefined
  const hold = (waited: boolean) => Promise.race([result = job(waited), left])
  // The browser may freeze a page that the person has left, to show it again on Back. A
  // frozen page must neither hold the lock nor receive it.
  addEventListener('pagehide', leave, { signal })
  try {
    await locks.request(name, { ifAvailable: true }, lock => lock && hold(false))
    if (!result) await locks.request(name, { signal }, () => hold(true))
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    leave() // this removes the listener too
  }
  return result ?? job(true)
}

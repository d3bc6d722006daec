import { locate } from './call.js'

let last: Promise<any> = Promise.resolve()

/**
 * Runs job when no other job runs: in this browser by Web Locks, or in this tab where
 * there are none (pages without TLS); the server's grace then bears with the others.
 * The job is told whether it had to wait for another one.
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
  // A page that is left may be kept as it is, to go back to: it must not keep the lock,
  // nor be given it, while it cannot run.
  addEventListener('pagehide', leave, { signal })
  try {
    await locks.request(name, { ifAvailable: true }, lock => lock && hold(false))
    if (!result) await locks.request(name, { signal }, () => hold(true))
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    leave() // which ends the listening, too
  }
  return result ?? job(true)
}

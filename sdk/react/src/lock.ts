import { locate } from './call.js'

let last: Promise<unknown> = Promise.resolve()

/**
 * Runs job when no other job runs: in this browser by Web Locks, or in this tab where
 * there are none (pages without TLS); the server's grace then bears with the others.
 * The job is told whether it had to wait for another one.
 */
export async function exclusive<T>(job: (waited: boolean) => Promise<T>): Promise<T> {
  const locks = navigator.locks
  if (!locks) {
    const mine = last.then(() => job(false), () => job(false))
    last = mine
    return mine
  }
  const name = 'signet' + locate('')
  const done = await locks.request(name, { ifAvailable: true }, async lock => lock && { result: await job(false) })
  return done ? done.result : locks.request(name, () => job(true))
}

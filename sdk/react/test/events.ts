// Reports in the format of `go test -json`, so that `make test` counts these tests too.
import type { Reporter, TestCase } from 'vitest/node'

export default class Events implements Reporter {
  onTestCaseResult(test: TestCase) {
    const { state, errors } = test.result()
    const name = { Package: 'sdk/react', Test: test.fullName }
    for (const error of errors ?? []) say({ ...name, Action: 'output', Output: `${error.stack ?? error.message}\n` })
    say({ ...name, Action: { passed: 'pass', failed: 'fail', skipped: 'skip', pending: 'skip' }[state] })
  }

  onTestRunEnd(_: unknown, unhandled: readonly { message: string }[], reason: string) {
    for (const error of unhandled) say({ Action: 'output', Package: 'sdk/react', Output: `${error.message}\n` })
    say({ Action: reason === 'passed' ? 'pass' : 'fail', Package: 'sdk/react', Elapsed: performance.now() / 1000 })
  }
}

const say = (event: object) => process.stdout.write(JSON.stringify(event) + '\n')

// An API that verifies tokens locally with jose. Each line of standard input is a token. For each
// line the program prints "ok" or the error.
import { createInterface } from 'node:readline'
import { createRemoteJWKSet, jwtVerify } from 'jose'

const [issuer, cooldown] = process.argv.slice(2)
const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`), { cooldownDuration: Number(cooldown) })

for await (const token of createInterface({ input: process.stdin })) {
  try {
    await jwtVerify(token, keys, { issuer })
    console.log('ok')
  } catch (error) {
    console.log(`${error.code}: ${error.message}`)
  }
}

// An API that checks tokens by itself with jose: a token on each line of standard
// input, "ok" or what was wrong on each line of standard output.
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

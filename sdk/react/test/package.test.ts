import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { bundle } from './browser.js'

const root = fileURLToPath(new URL('..', import.meta.url))

test('is at most 3 KB, minified and compressed, without react', async () => {
  const code = await bundle(root + 'dist/index.js', { minify: true, external: [/^react/] })
  const size = gzipSync(code, { level: 9 }).length
  console.log(`@signet/react: ${size} bytes`)
  expect(size).toBeGreaterThan(1000) // an empty bundle would be smaller
  expect(size).toBeLessThanOrEqual(3 * 1024)
})

test('contains the built files, the license and the README', () => {
  const [{ files }] = JSON.parse(execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
  const others = files.map((f: { path: string }) => f.path).filter((path: string) => !/^dist\/\w+\.(js|d\.ts|js\.map)$/.test(path))
  expect(others.sort()).toEqual(['LICENSE', 'README.md', 'package.json'])
})

test('depends only on react, and is marked for clients', () => {
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(root + 'package.json', 'utf8'))
  expect([dependencies, peerDependencies]).toEqual([undefined, { react: '>=18' }])
  expect(readFileSync(root + 'dist/index.js', 'utf8')).toMatch(/^'use client';/)
})

test('stores nothing in the browser', () => {
  const code = readFileSync(root + 'dist/store.js', 'utf8') + readFileSync(root + 'dist/actions.js', 'utf8') + readFileSync(root + 'dist/call.js', 'utf8')
  expect(code).not.toMatch(/localStorage|sessionStorage|indexedDB|document\.cookie/)
})

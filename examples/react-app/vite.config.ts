import { defineConfig } from 'vite'

const { SIGNET: signet = 'http://localhost:8080', API: api = 'http://localhost:3000' } = process.env

// One origin for all, as in production: the browser sees http://localhost:5173, and
// The proxy passes the path and the Host header on unchanged.
export default defineConfig({
  server: {
    port: 5173,
    strictPort: true, // it is part of the issuer
    proxy: { '/auth': { target: signet }, '/api': { target: api } },
  },
  resolve: { dedupe: ['react'] }, // @signet/react is linked to its folder: the tests of that folder install a second React
})

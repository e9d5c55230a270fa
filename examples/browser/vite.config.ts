/** Builds and serves the page; `npm run demo:browser` does both. */

import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const root = fileURLToPath(new URL('.', import.meta.url));

/** Headers of a page that may share memory with its workers. */
const headers = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

export default defineConfig({
  root,
  // Works from any folder of any server.
  base: './',
  build: {
    outDir: fileURLToPath(new URL('../../build/demo-browser', import.meta.url)),
    emptyOutDir: true,
    // TensorFlow.js is one large piece, which only those load who choose it.
    chunkSizeWarningLimit: 2000,
  },
  worker: { format: 'es' },
  server: { headers },
  preview: { headers, port: 4173 },
});

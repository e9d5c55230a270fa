/** Builds a folder of test pages and serves it on loopback. */

import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const PAGES = fileURLToPath(new URL('../pages', import.meta.url));

/** Headers of a page that may share memory with its workers. */
const ISOLATED = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};

export interface Site {
  /** URL of a page that runs `script`; isolated from other origins, or not. */
  pageOf(script: string, isolated?: boolean): string;
  readonly server: Server;
  close(): void;
}

/** Scripts of the pages by path, from source, each a bundle of its own. */
async function buildScripts(names: readonly string[]): Promise<Map<string, Uint8Array>> {
  const { outputFiles } = await build({
    entryPoints: names.map((name) => `${PAGES}/${name}.ts`),
    outdir: '/',
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
  });
  return new Map(outputFiles.map(({ path, contents }) => [path, contents]));
}

/** Serves the scripts `names` of test/browser/pages, and a page for each. */
export async function serve(names: readonly string[]): Promise<Site> {
  const scripts = await buildScripts(names);
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    // Everything under /isolated/ has the headers, but for the scripts that are asked for bare.
    const isolated = url.pathname.startsWith('/isolated/') && !url.searchParams.has('bare');
    const path = url.pathname.replace(/^\/(isolated|plain)/, '');
    const headers = isolated ? ISOLATED : {};
    const script = scripts.get(path);
    if (script !== undefined) {
      response.writeHead(200, { 'content-type': TYPES['.js'], ...headers }).end(script);
    } else if (scripts.has(path.replace(/\.html$/, '.js'))) {
      const src = path.slice(1).replace(/\.html$/, '.js');
      response
        .writeHead(200, { 'content-type': TYPES['.html'], ...headers })
        .end(`<!doctype html><title>${src}</title><script type="module" src="${src}"></script>`);
    } else {
      response.writeHead(404, headers).end();
    }
  });
  const { url, close } = await listen(server);
  return {
    server,
    close,
    pageOf: (script, isolated = true) => `${url}/${isolated ? 'isolated' : 'plain'}/${script}.html`,
  };
}

const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.wasm': 'application/wasm',
};

/** Serves the files of a folder; as an isolated page, or not. */
export async function serveFolder(
  folder: string,
  isolated = true,
): Promise<{ url: string; close(): void }> {
  const headers = isolated ? ISOLATED : {};
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    try {
      const content = readFileSync(join(folder, pathname));
      const type = TYPES[extname(pathname)] ?? 'application/octet-stream';
      response.writeHead(200, { 'content-type': type, ...headers }).end(content);
    } catch {
      response.writeHead(404, headers).end();
    }
  });
  return listen(server);
}

async function listen(server: Server): Promise<{ url: string; close(): void }> {
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${port}`, close };
}

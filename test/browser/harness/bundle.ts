/** Builds the consumer's page with three bundlers, each as its users would. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { build as esbuild } from 'esbuild';
import { createLogger, build as vite } from 'vite';
import webpack from 'webpack';

/** Builds the project `from`, which has index.html, page.js and rank.js, into `to`. */
export type Bundler = (from: string, to: string) => Promise<Bundle>;

export interface Bundle {
  /** Everything that the bundler complained about. */
  readonly complaints: readonly string[];
  /** Files that a worker loads before it runs. */
  readonly worker: readonly string[];
}

export const BUNDLERS: Record<string, Bundler> = {
  'Vite 8': async (root, outDir) => {
    const complaints: string[] = [];
    const customLogger = createLogger('warn');
    customLogger.warn = (text) => {
      // On a busy machine Vite says that it was slow.
      if (!text.includes('PLUGIN_TIMINGS')) complaints.push(text);
    };
    customLogger.warnOnce = customLogger.warn;
    customLogger.error = customLogger.warn;
    await vite({
      ...{ root, base: './', configFile: false },
      ...{ logLevel: 'warn', customLogger },
      build: { outDir },
    });
    return { complaints, worker: files(join(outDir, 'assets'), /^rank-.*\.js$/) };
  },
  'webpack 5': async (context, path) => {
    const compiler = webpack({
      context,
      mode: 'production',
      entry: './page.js',
      output: { path, filename: 'page.js', chunkFilename: '[name].js' },
    });
    const stats = await new Promise<webpack.Stats>((resolve, reject) =>
      compiler.run((error, result) => (error ? reject(error) : resolve(result!))),
    );
    const { errors = [], warnings = [] } = stats.toJson({ errors: true, warnings: true });
    const workers = [...stats.compilation.asyncEntrypoints];
    return {
      complaints: [...errors, ...warnings].map(({ message }) => message),
      worker: workers.flatMap((entry) => entry.getFiles()).map((file) => join(path, file)),
    };
  },
  esbuild: async (absWorkingDir, outdir) => {
    const { errors, warnings } = await esbuild({
      absWorkingDir,
      outdir,
      entryPoints: ['page.js', 'rank.js'],
      bundle: true,
      minify: true,
      format: 'esm',
      logLevel: 'silent',
    });
    return {
      complaints: [...errors, ...warnings].map(({ text }) => text),
      worker: [join(outdir, 'rank.js')],
    };
  },
};

function files(folder: string, pattern: RegExp): string[] {
  return readdirSync(folder)
    .filter((name) => pattern.test(name))
    .map((name) => join(folder, name));
}

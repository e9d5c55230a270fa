/**
 * Tries to break worlds, by faults in their programs or by kills from outside:
 *
 *   npm run faults -- --seed 1 --worlds 1000    test/faults/main.ts
 *   npm run faults -- kills 200 1               kills.ts: repetitions, seed
 */

if (process.argv[2] === 'kills') {
  process.argv.splice(2, 1);
  await import('./kills.js');
} else {
  const main = new URL('../build/test/faults/main.js', import.meta.url);
  await import(main.href);
}

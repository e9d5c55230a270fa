/** SIGKILL, which nobody can handle: no process may be left on any host. */

import { expect, test } from 'vitest';
import { SYNCRUN, workspace } from '../launch/support.js';
import { inNetwork } from './network.js';
import { rankProgram } from './run.js';

/** One of each kind; more by SYNCBN_KILLS=50 npx vitest run test/mpi/kill.test.ts. */
const KILLS = Number(process.env.SYNCBN_KILLS ?? 4);
const SEED = 1;
/** Milliseconds. */
const LIMIT = 2000;

interface Kill {
  kind: string;
  /** Milliseconds until no process was left. */
  gone: number;
  /** Exit codes of the two hosts' syncrun; null: it was the victim. */
  codes: (number | null)[];
  /** What both wrote to standard error. */
  words: string;
}

test(
  `after SIGKILL of any process of a launch, none is left within two seconds (${KILLS} times)`,
  async () => {
    const cwd = workspace({
      'a.mjs': `import { createGroup, init } from 'syncbn';
      await init();
      const group = createGroup('all', [0, 1, 2, 3]);
      for (;;) group.barrier().wait();`,
    });
    const program = [process.execPath, rankProgram('kill-hosts'), SYNCRUN, `${cwd}/a.mjs`, cwd];
    const limit = 20 + 8 * KILLS;
    const args = [...program, String(KILLS), String(SEED)];
    const { code, stdout, stderr } = await inNetwork('"$@"', args, limit);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const kills = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Kill);
    expect(kills).toHaveLength(KILLS);
    for (const { kind, gone, codes, words } of kills) {
      expect(gone, kind).toBeLessThan(LIMIT);
      if (kind === 'a rank') {
        expect(codes).toEqual([137, 137]);
        expect(words.match(/^syncrun: rank \d on host h\d ended by SIGKILL$/gm)).toHaveLength(2);
      } else {
        expect(codes.sort()).toEqual([1, null]);
        expect(words).toMatch(/^syncrun: .*lost.*$/m);
      }
    }
    console.log(`slowest end: ${Math.max(...kills.map(({ gone }) => gone))} ms of ${KILLS} kills`);
  },
  1000 * (30 + 8 * KILLS),
);

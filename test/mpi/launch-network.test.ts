import { describe, expect, test } from 'vitest';
import { hostCommand, inNetwork } from './network.js';
import { rankProgram } from './run.js';

/** Both hosts run to their ends; each one's exit code is said. */
const BOTH = `
(on 1 "$1" "$2" "$3") & first=$!
(on 2 "$1" "$2" "$4") & second=$!
wait $first; echo "host 1: $?"
wait $second; echo "host 2: $?"
`;

function pair(options: Record<string, unknown>): string[] {
  const [node, program, first] = hostCommand({ ...options, nodeRank: 0 });
  const [, , second] = hostCommand({ ...options, nodeRank: 1 });
  return [node, program, first, second];
}

/** Each on a line of its own: the hosts' outputs meet in any order. */
function expectBothWell(stdout: string): void {
  for (const host of [1, 2]) expect(stdout).toMatch(new RegExp(`^host ${host}: 0$`, 'm'));
}

const faults = (mode: string) => ({ script: rankProgram('mpi-faults'), args: [mode] });

describe('a launch on two hosts with a network between them', () => {
  test('runs the contract', async () => {
    const { stdout, stderr } = await inNetwork(BOTH, pair({ script: rankProgram('mpi-contract') }));
    expect(stderr).toBe('');
    expectBothWell(stdout);
    // Of the groups, the pair of ranks 0 and 1 alone is on one host.
    for (const rank of [0, 1, 2, 3]) {
      const sharing = new RegExp(
        `rank ${rank} of 4: \\d+ sections, 0 failed, ${rank < 2 ? 1 : 0} of \\d groups`,
      );
      expect(stdout).toMatch(sharing);
    }
  }, 120_000);

  test('forms one world around an address of IPv6', async () => {
    const options = { masterAddr: 'fd77::1', ...faults('release') };
    const { stdout, stderr } = await inNetwork(BOTH, pair(options));
    expect(stderr).toBe('');
    expectBothWell(stdout);
    for (const rank of [0, 1, 2, 3]) expect(stdout).toContain(`rank ${rank} released`);
  });

  test.each([
    ['kill', 'ended by SIGKILL', 137],
    ['exit-code', 'failed with exit code 7', 7],
  ])("a rank's failure (%s) ends both hosts in the same words", async (mode, text, code) => {
    const { stdout } = await inNetwork(BOTH, pair(faults(mode)));
    expect(stdout.match(new RegExp(`^launch: rank 3 on host h2 ${text}$`, 'gm'))).toHaveLength(2);
    for (const host of [1, 2]) expect(stdout).toMatch(new RegExp(`^host ${host}: ${code}$`, 'm'));
  });

  test.each([
    [1, 2, /launch: lost the host with node rank 0: .*\nhost 2: 1/],
    [2, 1, /launch: the host at 10\.77\.0\.2 \(port \d+\) was lost: .*\nhost 1: 1/],
  ])(
    'when the launcher on host %i is killed, no rank is left on either',
    async (killed, left, text) => {
      const { stdout } = await inNetwork(KILL_LAUNCHER, [
        ...pair({ script: rankProgram('mpi-oddities'), args: ['idle'] }),
        String(killed),
        String(left),
      ]);
      expect(stdout).toMatch(text);
      expect(stdout).toContain('4 ranks were started\nnone is left\n');
    },
  );
});

/** Kills the launcher on host $5 once its ranks run; says how the one on host $6 ends. */
const KILL_LAUNCHER = `
(on 1 "$1" "$2" "$3" > /run/out1) & launcher1=$!
(on 2 "$1" "$2" "$4" > /run/out2) & launcher2=$!
until [ "$(cat /run/out1 /run/out2 | grep -c ^pid)" = 4 ]; do sleep 0.1; done
sleep 1
killed=launcher$5 left=launcher$6
kill -KILL \${!killed}
wait \${!left}; code=$?
grep -h launch: /run/out$6
echo "host $6: $code"
pids=$(cat /run/out1 /run/out2 | sed -n 's/^pid //p')
for wait in $(seq 20); do kill -0 $pids 2>/dev/null && sleep 0.1; done
echo "$(echo $pids | wc -w) ranks were started"
kill -0 $pids 2>/dev/null && echo "one is left" || echo "none is left"
`;

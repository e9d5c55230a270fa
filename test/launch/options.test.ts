/** Every option of syncrun: its spellings, its default, and what is said when it is wrong. */

import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runtimeProblem } from '../../src/launch/common/runtime.js';
import { parseCommandLine } from '../../src/launch/syncrun/options/command-line.js';
import { type Settings, settingsOf } from '../../src/launch/syncrun/options/settings.js';
import { helpText, OPTION_NAMES } from '../../src/launch/syncrun/options/table.js';
import { syncrun, workspace } from './support.js';

const folder = () => workspace({ 'train.js': '' });

/** Settings of a command line that ends with a script that is there. */
function settings(...options: string[]): Settings {
  const line = parseCommandLine([...options, join(folder(), 'train.js')]);
  if (line.kind !== 'run') throw new Error(`expected a run, got ${line.kind}`);
  return settingsOf(line.given, line.script, line.args);
}

test('defaults are those of msrun', () => {
  const { script, ...rest } = settings();
  expect(script).toMatch(/train\.js$/);
  expect(rest).toEqual({
    args: [],
    workerNum: 8,
    processes: null,
    join: false,
    logDir: process.cwd(),
    logName: 'worker',
    clusterTimeOut: 600,
    tail: [0, 1, 2, 3, 4, 5, 6, 7],
    rankPrefix: true,
    grace: 5,
  });
});

test.each([
  [['--worker_num=4']],
  [['--worker_num', '4']],
  [['--worker-num=4']],
  [['--worker-num', '4']],
  [['--local_worker_num=4']],
  [['--worker_num=2', '--worker_num=4']],
  [['--worker_num=4', '--local_worker_num=4', '--node_rank', '-1', '--tail-worker-log', '-1']],
  [['--worker_num=4', '--node_rank=0', '--master_addr=::1', '--master_port=8975']],
  [['--worker_num=4', '--bind_core=False', '--']],
])('%j starts four ranks', (options) => {
  expect(settings(...options)).toMatchObject({ workerNum: 4, tail: [0, 1, 2, 3] });
});

test.each([
  [['--join'], true],
  [['--join=True'], true],
  [['--join', 'true'], true],
  [['--join=1'], true],
  [['--join', 'True'], true],
  [['--join=False'], false],
  [['--join', 'false'], false],
  [['--join', '0'], false],
])('%j sets join to %j', (options, join) => {
  expect(settings(...options).join).toBe(join);
});

test('ranks are processes where that is asked for, and on several hosts', () => {
  expect(settings('--launcher=processes', '--worker_num=2').processes).toEqual({
    localWorkerNum: 2,
    masterAddr: '127.0.0.1',
    masterPort: 8118,
    nodeRank: -1,
    secretFile: null,
    bindCore: false,
    jobName: '',
  });
  const several = ['--worker_num=4', '--local_worker_num=2', '--node-rank=1', '--bind_core'];
  expect(settings(...several, '--master_addr=[::1]', '--secret-file=s').processes).toMatchObject({
    localWorkerNum: 2,
    masterAddr: '::1',
    nodeRank: 1,
    secretFile: join(process.cwd(), 's'),
    bindCore: true,
  });
});

test('what follows the script is the script’s own', () => {
  const line = parseCommandLine(['--join', 'a.js', '--worker_num=3', '-x', '--', 'b', '--help']);
  expect(line).toEqual({
    kind: 'run',
    given: { join: 'True' },
    script: 'a.js',
    args: ['--worker_num=3', '-x', '--', 'b', '--help'],
  });
});

test('the tail may name ranks, and the time-out may be negative', () => {
  expect(settings('--worker_num=4', '--tail_worker_log=3, 1,3').tail).toEqual([3, 1]);
  expect(settings('--cluster_time_out=-1').clusterTimeOut).toBe(-1);
  expect(settings('--cluster_time_out', '2.5').clusterTimeOut).toBe(2.5);
});

test('the log name knows the host’s name and address', () => {
  expect(settings('--worker_log_name=a_{hostname}_b').logName).toBe(`a_${hostname()}_b`);
  expect(settings('--worker_log_name={ip}').logName).toMatch(/^[0-9a-f.:]+$/);
});

describe('mistakes', () => {
  test.each([
    [['--wroker_num=4'], "unknown option --wroker_num; did you mean '--worker_num'?"],
    [['--log-dri', 'x'], "unknown option --log-dri; did you mean '--log_dir'?"],
    [['--constructor'], 'unknown option --constructor; see syncrun --help'],
    [['-n', '4'], 'unknown option -n; see syncrun --help'],
    [['--worker_num=0'], "--worker_num must be an integer from 1 to 65536, got '0'"],
    [['--worker_num=four'], "--worker_num must be an integer from 1 to 65536, got 'four'"],
    [['--worker_num='], "--worker_num must be an integer from 1 to 65536, got ''"],
    [
      ['--local_worker_num=1.5'],
      "--local_worker_num must be an integer from 1 to 65536, got '1.5'",
    ],
    [['--worker_num=2', '--local_worker_num=0'], '--local_worker_num must be an integer from 1'],
    [['--worker_num=2', '--local_worker_num=3'], '--local_worker_num must be at most --worker_num'],
    [['--node_rank=1'], '--node_rank=1 means another host before this one'],
    [
      ['--worker_num=4', '--local_worker_num=2', '--node_rank=3'],
      '--node_rank=3 means another host before this one, and --worker_num=4 --local_worker_num=2 leaves 2 ranks',
    ],
    [['--launcher=thread'], "must be threads or processes, got 'thread'; did you mean 'threads'?"],
    [
      ['--launcher=threads', '--worker_num=4', '--local_worker_num=2'],
      '--launcher=threads has all ranks on one host',
    ],
    [['--node_rank=-2'], "--node_rank must be an integer of -1 or more, got '-2'"],
    [['--master_addr=a b'], "--master_addr must be a host's name or address, got 'a b'"],
    [['--master_addr='], "--master_addr must be a host's name or address, got ''"],
    [['--master_port=0'], "--master_port must be an integer from 1 to 65535, got '0'"],
    [['--master_port=65536'], "--master_port must be an integer from 1 to 65535, got '65536'"],
    [['--join=Ture'], "--join must be True or False, got 'Ture'; did you mean 'True'?"],
    [['--bind_core'], '--bind_core=True is not possible with threads'],
    [['--log_dir='], '--log_dir must not be empty'],
    [['--grace=-1'], "--grace must be a number of seconds, 0 or more, got '-1'"],
    [['--worker_num=9007199254740991'], '--worker_num must be an integer from 1 to 65536'],
    [['--cluster_time_out=soon'], '--cluster_time_out must be a number of seconds'],
    [['--cluster_time_out=0'], "and not 0, got '0'"],
    [['--tail_worker_log=8'], '--tail_worker_log names rank 8, and the ranks are 0 to 7'],
    [['--tail_worker_log=0,-1'], '--tail_worker_log must be -1 or ranks with commas between'],
    [['--worker_log_name={hostnam}'], "has no placeholder {hostnam}; did you mean '{hostname}'?"],
    [['--worker_log_name={rank}'], 'has no placeholder {rank}; there are {ip} and {hostname}'],
    [['--worker_log_name={ip'], '--worker_log_name must be the name of a file'],
    [['--worker_log_name=a/b'], '--worker_log_name must be the name of a file'],
  ])('%j', (options, message) => {
    expect(() => settings(...options)).toThrow(RangeError);
    expect(() => settings(...options)).toThrow(message);
  });

  test.each([
    [[], 'the script is missing'],
    [['--join=True'], 'the script is missing'],
    [['--worker_num'], '--worker_num needs a value: --worker_num=N'],
    [['tarin.js'], "there is no script 'tarin.js'; did you mean 'train.js'?"],
    [['no/folder.js'], "there is no script 'no/folder.js'"],
    [['.'], "the script must be a file, and '.' is not"],
    [['data.json'], 'the script must be JavaScript or TypeScript'],
    [['--log_dir=data.json', 'train.js'], '--log_dir must be a folder that can be written to'],
  ])('%j starts nothing and ends with status 2', async (args, message) => {
    const cwd = workspace({ 'train.js': 'console.log("ran")', 'data.json': '{}' });
    const { code, stdout, stderr } = await syncrun(cwd, ...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^syncrun: [^\n]+\n$/);
    expect(stderr).toContain(message);
  });
});

test.each([
  [{ node: '20.19.0' }, null],
  [{ node: '22.12.0' }, null],
  [{ node: '26.10.0' }, null],
  [{ node: '18.0.0', bun: '1.4.5' }, null],
  [{ node: '20.18.1' }, 'Node 20.19 or 22.12 and newer is needed, and this is 20.18.1'],
  [{ node: '21.7.3' }, 'Node 20.19 or 22.12 and newer is needed, and this is 21.7.3'],
  [{ node: '22.2.0' }, 'Node 20.19 or 22.12 and newer is needed, and this is 22.2.0'],
])('a runtime of %j is judged as engines says', (versions, problem) => {
  expect(runtimeProblem(versions)).toBe(problem);
});

test('--help names every option, --version the package’s version', async () => {
  const { code, stdout, stderr } = await syncrun(folder(), '--worker_num=2', '--help');
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: helpText(), stderr: '' });
  for (const name of OPTION_NAMES) expect(stdout).toContain(`--${name}=`);
  const version = await syncrun(folder(), '--version');
  expect(version.stdout).toMatch(/^syncrun \d+\.\d+\.\d+\n$/);
});

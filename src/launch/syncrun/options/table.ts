/** The options of `syncrun`, MindSpore's msrun's and some more, and its help text. */

import { MASTER_PORT } from '../../processes/index.js';
import { DEFAULT_GRACE, START_TIMEOUT } from '../../world/signals.js';
import { logName } from './log-name.js';
import * as values from './values.js';

interface OptionEntry<T> {
  /** Stands for the value in the help text. */
  readonly value: string;
  /** Text of the default; read as if it had been given. */
  readonly default: string;
  readonly read: values.Reader<T>;
  readonly help: string;
}

const entry = <T>(
  value: string,
  fallback: string | number,
  read: values.Reader<T>,
  help: string,
): OptionEntry<T> => ({ value, default: String(fallback), read, help });

/** An option that may stand alone, which means True. */
const flag = (help: string, fallback = 'False') =>
  entry('True|False', fallback, values.boolean, help);

/** More than any machine runs, and few enough to count. */
const MAX_WORKERS = 65_536;
const workers = values.integer(1, MAX_WORKERS);
const launcher = values.choice(['threads', 'processes']);

export const OPTIONS = {
  launcher: entry(
    'KIND',
    '',
    launcher,
    'threads, or processes over MPICH (default threads on one host)',
  ),
  worker_num: entry('N', 8, workers, 'ranks in all'),
  local_worker_num: entry('N', 8, workers, 'ranks on this host; of the two, one alone sets both'),
  master_addr: entry('ADDRESS', '127.0.0.1', values.address, 'where the hosts of one world meet'),
  master_port: entry(
    'PORT',
    MASTER_PORT,
    values.integer(1, 65_535),
    'where the hosts of one world meet',
  ),
  node_rank: entry(
    'N',
    -1,
    values.integer(-1),
    'number of this host; 0 is where the hosts meet; -1: any',
  ),
  log_dir: entry('FOLDER', '.', values.folder, 'folder of worker_RANK.log; made when missing'),
  join: flag('wait for the ranks; else they run in the background'),
  cluster_time_out: entry(
    'SECONDS',
    START_TIMEOUT,
    values.seconds,
    'time for all ranks to start; negative: for ever',
  ),
  tail_worker_log: entry(
    'RANKS',
    -1,
    values.rankList,
    'with --join, ranks shown here as well; -1: all; or 0,2',
  ),
  worker_log_name: entry(
    'NAME',
    '',
    logName,
    'logs are NAME_RANK.log; {ip} and {hostname} are filled in',
  ),
  rank_prefix: flag('with several ranks shown here, [RANK] in front of each line', 'True'),
  grace: entry(
    'SECONDS',
    DEFAULT_GRACE,
    values.duration,
    'from a signal that asks the ranks to end to their end',
  ),
  check: flag('instead of a script: checks this world, and measures it'),
  status: flag('instead of a script: where the jobs of --log_dir stand'),
  bind_core: flag('pins ranks that are processes to cores'),
  job_name: entry('NAME', '', values.text, 'the same on all hosts (default: script and arguments)'),
  secret_file: entry(
    'FILE',
    '',
    values.file,
    'what several hosts must know in common (default SYNCBN_SECRET)',
  ),
} as const;

export type OptionName = keyof typeof OPTIONS;
export const OPTION_NAMES = Object.keys(OPTIONS) as OptionName[];

/** Options that were given, as texts. */
export type Given = Partial<Record<OptionName, string>>;
export type Values = { readonly [Name in OptionName]: ReturnType<(typeof OPTIONS)[Name]['read']> };

/** @throws RangeError for a text that its reader does not take */
export function valuesOf(given: Given): Values {
  const read = (name: OptionName) => OPTIONS[name].read(given[name] ?? OPTIONS[name].default, name);
  return Object.fromEntries(OPTION_NAMES.map((name) => [name, read(name)])) as Values;
}

/** True if the option may stand alone. */
export function isFlag(name: OptionName): boolean {
  return OPTIONS[name].read === values.boolean;
}

const INTRODUCTION = `Usage: syncrun [options] script [arguments of the script]

Runs a JavaScript or TypeScript file on every rank of a new world, as node would run it once;
init() in it joins the world. Ranks are threads of one process, or processes (--launcher) on one
host or several, and each writes a log of its own.

Options, as --worker_num=4, --worker_num 4 or --worker-num 4:
`;

const CONCLUSION = `
Exit status: 0 when every rank ended well; with --join, the first failed rank's exit code, or 1;
2 for a mistake on the command line; 130, 143 or 129 after SIGINT, SIGTERM or SIGHUP.

Several hosts: the same command on each, with --local_worker_num below --worker_num and its own
--node_rank; the first host shows a secret for the others where none is given.

Example: syncrun --worker_num=4 --log_dir=logs --join=True train.ts --epochs 10
Example: syncrun --worker_num=8 --local_worker_num=4 --master_addr=10.0.0.1 --node_rank=0 \\
           --secret_file=secret.txt --join=True train.ts          (and --node_rank=1 on 10.0.0.2)
`;

/** The text that `syncrun --help` prints. */
export function helpText(): string {
  const rows = OPTION_NAMES.map((name) => {
    const { value, default: fallback, help } = OPTIONS[name];
    return [
      `--${name}=${value}`,
      help.includes('(default') ? help : `${help} (default ${fallback || 'worker'})`,
    ];
  });
  rows.push(['--analyze FILES', "says where each rank stood, from the ranks' flight records"]);
  rows.push(['--help, -h', 'shows this'], ['--version', 'shows the version']);
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  const lines = rows.map(([left, right]) => `  ${left.padEnd(width)}${right}\n`);
  return INTRODUCTION + lines.join('') + CONCLUSION;
}

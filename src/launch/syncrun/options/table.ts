/** The options of `syncrun`, which are those of MindSpore's msrun, and its help text. */

export interface OptionEntry {
  /** What stands for the value in the help text. */
  readonly value: string;
  /** Text of the default; parsed as if it had been given. */
  readonly default: string;
  /** True when the option may stand alone, which means True. */
  readonly flag: boolean;
  readonly help: string;
}

const entry = (value: string, fallback: string, help: string, flag = false): OptionEntry => ({
  value,
  default: fallback,
  flag,
  help,
});

export const OPTIONS = {
  launcher: entry('KIND', '', 'threads, or processes over MPICH (default threads on one host)'),
  worker_num: entry('N', '8', 'ranks in all'),
  local_worker_num: entry('N', '8', 'ranks on this host; of the two, one alone sets both'),
  master_addr: entry('ADDRESS', '127.0.0.1', 'where the hosts of one world meet'),
  master_port: entry('PORT', '8118', 'where the hosts of one world meet, 1 to 65535'),
  node_rank: entry('N', '-1', 'number of this host; 0 is where the hosts meet; -1: any'),
  log_dir: entry('FOLDER', '.', 'folder of worker_RANK.log; made when missing'),
  join: entry('True|False', 'False', 'wait for the ranks; else they run in the background', true),
  cluster_time_out: entry('SECONDS', '600', 'time for all ranks to start; negative: for ever'),
  tail_worker_log: entry('RANKS', '-1', 'with --join, ranks shown here as well; -1: all; or 0,2'),
  worker_log_name: entry('NAME', '', 'logs are NAME_RANK.log; {ip} and {hostname} are filled in'),
  bind_core: entry('True|False', 'False', 'pins ranks that are processes to cores', true),
  secret_file: entry('FILE', '', 'what several hosts must know in common (default SYNCBN_SECRET)'),
} as const satisfies Record<string, OptionEntry>;

export type OptionName = keyof typeof OPTIONS;
export const OPTION_NAMES = Object.keys(OPTIONS) as OptionName[];

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

/** What `syncrun --help` prints. */
export function helpText(): string {
  const rows = OPTION_NAMES.map((name) => {
    const { value, default: fallback, help } = OPTIONS[name];
    return [
      `--${name}=${value}`,
      help.includes('(default') ? help : `${help} (default ${fallback || 'worker'})`,
    ];
  });
  rows.push(['--help, -h', 'shows this'], ['--version', 'shows the version']);
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  const lines = rows.map(([left, right]) => `  ${left.padEnd(width)}${right}\n`);
  return INTRODUCTION + lines.join('') + CONCLUSION;
}

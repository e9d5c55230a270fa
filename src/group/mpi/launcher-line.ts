/** A rank's line to the launcher that started it; ranks of mpirun and mpiexec have none. */

/** Global, since the launcher's setup and the program may load different copies of the package. */
const KEY = Symbol.for('syncbn.launcher-line');

/** 'init': the rank enters MPI_Init; 'ready': it has come out of it. */
export type LauncherWord = 'init' | 'ready';

type Line = (word: LauncherWord) => void;

const place = globalThis as { [KEY]?: Line };

/** Makes `line` the rank's; it must not throw. */
export function setLauncherLine(line: Line): void {
  place[KEY] = line;
}

export function tellLauncher(word: LauncherWord): void {
  place[KEY]?.(word);
}

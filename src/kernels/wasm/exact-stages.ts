/** The builds of assembly/exact-stages.ts. */

import { decode } from '../../core/binary-text.js';
import type { Engine, Stage } from './engine.js';
import { exact32, exact64 } from './generated/exact.js';

/** The stages of exact sums for one element type; see WORDS for the arguments of the first four. */
export interface ExactStages {
  readonly planeAtoms: Stage;
  readonly rowAtoms: Stage;
  readonly valueBounds: Stage;
  readonly valueWords: Stage;
  /** Writes the bounds of the columns of a matrix of atoms. */
  boundAtoms(bounds: number, atoms: number, rows: number, columns: number): void;
  /** Writes the words of the columns' sums. */
  addAtoms(words: number, bounds: number, atoms: number, rows: number, columns: number): void;
  /** Writes the values of words. */
  putValues(values: number, words: number, bounds: number, columns: number): void;
}

const WORDS = 'first second dy x mean invstd channels rows stride values total out';
const TEXTS = { 4: exact32, 8: exact64 };

/** Instantiates the stages for elements of 4 or 8 bytes. */
export function exactStagesOf(bytes: 4 | 8, engine: Engine): ExactStages {
  const exports = engine.instantiate(decode(TEXTS[bytes]));
  const stage = (name: string) => engine.stage(exports, name, WORDS);
  return {
    planeAtoms: stage('planeAtoms'),
    rowAtoms: stage('rowAtoms'),
    valueBounds: stage('valueBounds'),
    valueWords: stage('valueWords'),
    boundAtoms: exports.boundAtoms as ExactStages['boundAtoms'],
    addAtoms: exports.addAtoms as ExactStages['addAtoms'],
    putValues: exports.putValues as ExactStages['putValues'],
  };
}

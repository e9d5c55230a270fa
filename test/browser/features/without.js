import { runRank } from 'syncbn/browser';
import { tryAll } from './trials.js';

runRank(tryAll);

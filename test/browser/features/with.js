import 'syncbn/bfloat16';
import 'syncbn/float16';
import 'syncbn/float64';
import 'syncbn/masks';
import 'syncbn/reproducible';
import 'syncbn/tail';
import 'syncbn/unshared';
import { runRank } from 'syncbn/browser';
import { tryAll } from './trials.js';

runRank(tryAll);

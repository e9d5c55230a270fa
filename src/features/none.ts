/**
 * Stands in for all.ts in bundles for browsers, by the `browser` field of package.json: a program
 * imports the features that it needs.
 */

import './foreign.js';

/** The programs in the project's pages: the blocks of code that import something. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Program {
  /** `README-20`: the page, and the line on which the block begins. */
  readonly name: string;
  readonly text: string;
}

/** Programs of the page `name`, whose text is `markdown`, in the language `js` or `ts`. */
export function programsIn(name: string, markdown: string, language = '(?:js|ts)'): Program[] {
  const blocks = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm');
  return [...markdown.matchAll(blocks)]
    .filter(([, text]) => /^import /m.test(text))
    .map(({ index, 1: text }) => ({
      name: `${name}-${markdown.slice(0, index).split('\n').length + 1}`,
      text,
    }));
}

/** Programs of README.md, and those in TypeScript of the pages in docs/. */
export function programsOf(root: string): Program[] {
  const docs = readdirSync(join(root, 'docs')).filter((file) => file.endsWith('.md'));
  const read = (file: string) => readFileSync(join(root, file), 'utf8');
  return [
    ...programsIn('README', read('README.md')),
    ...docs.flatMap((file) => programsIn(file.replace('.md', ''), read(`docs/${file}`), 'ts')),
  ];
}

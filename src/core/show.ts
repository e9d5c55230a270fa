/**
 * Values in the texts of errors: short, on one line, and without characters that a terminal obeys,
 * whatever a program passes. Nothing here throws, and no getter with an effect is called twice.
 */

/** Characters of one value that a text holds. */
const MOST = 80;
/** Elements of a list that a text holds. */
const MOST_ELEMENTS = 8;

/**
 * `value` in an error: text in quotes, numbers and the like as they are written in a program,
 * objects by the name of their class.
 */
export function show(value: unknown): string {
  return cut(write(value), MOST);
}

/** The same with the elements of a list. */
export function showList(list: unknown): string {
  try {
    if (!Array.isArray(list)) return show(list);
    const shown = Array.from({ length: Math.min(list.length, MOST_ELEMENTS) }, (_, i) =>
      show(list[i]),
    );
    return `[${shown.join(', ')}${list.length > MOST_ELEMENTS ? ', ...' : ''}]`;
  } catch {
    return show(list);
  }
}

/** Text that a program made up, such as a name, on one line. */
export function showText(text: string, most = MOST): string {
  return cut(visible(text, most), most);
}

function write(value: unknown): string {
  try {
    if (typeof value === 'string') return `'${cut(visible(value), MOST - 5)}'`;
    if (typeof value === 'bigint') return `${value}n`;
    if (typeof value === 'function') return `function ${visible(String(value.name))}`.trimEnd();
    if (value === null || typeof value !== 'object') return visible(writePrimitive(value));
    const name: unknown = value.constructor?.name;
    return typeof name === 'string' && name !== '' ? visible(name) : 'an object';
  } catch {
    return `an odd ${typeof value}`;
  }
}

function writePrimitive(value: unknown): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

/** Escapes what a terminal would obey, and what would begin another line. */
function visible(text: string, most = MOST): string {
  let out = '';
  // A little more than is kept: what is cut off need not be looked at.
  for (const character of text.slice(0, most + 1)) {
    const code = character.codePointAt(0)!;
    out += isVisible(code) ? character : `\\u${code.toString(16).padStart(4, '0')}`;
  }
  return out;
}

function isVisible(code: number): boolean {
  if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return false;
  // Line and paragraph separators, marks that turn text around, and halves of characters.
  if (code === 0x2028 || code === 0x2029 || (code >= 0x202a && code <= 0x202e)) return false;
  return code < 0xd800 || code > 0xdfff;
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most)}...` : text;
}

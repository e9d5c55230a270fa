/**
 * Values in the texts of errors: short, on one line, and without characters that a terminal obeys,
 * for any value of a program. Nothing here throws, and no getter with an effect is called twice.
 */

/** Most characters of one value in a text. */
const MOST = 80;
/** Most elements of a list in a text. */
const MOST_ELEMENTS = 8;

/**
 * Writes `value` for an error: text in quotes, numbers and the like as in a program, objects by the
 * name of their class.
 */
export function show(value: unknown): string {
  return cut(write(value), MOST);
}

/** Writes a list with its elements. */
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

/** Writes text of a program, such as a name, on one line. */
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

/** Escapes characters that a terminal would obey, and characters that would begin another line. */
function visible(text: string, most = MOST): string {
  let out = '';
  // A little more than is kept: text past the cut need not be read.
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

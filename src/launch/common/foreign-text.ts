/** Text from others, on its way to a console: a terminal obeys control characters. */

/** All that a terminal may take for a command, and all that turns the direction of writing. */
const CONTROL = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Returns `text` with its control characters written out, as \x1b; line breaks and tabs stay. */
export function escapeControls(text: string): string {
  return text.replace(CONTROL, (found) => {
    if (found === '\n' || found === '\t') return found;
    const code = found.codePointAt(0)!.toString(16);
    return code.length > 2 ? `\\u{${code}}` : `\\x${code.padStart(2, '0')}`;
  });
}

/** Returns `text` on one line, with line breaks and tabs written out as well. */
export function escapeLine(text: string): string {
  return escapeControls(text).replaceAll('\n', '\\n').replaceAll('\t', '\\t');
}

/**
 * WebAssembly as text. A byte is one printable character if it is frequent, else two. Unlike
 * base64, repeated code stays repeated text, which gzip finds: the text compresses to nearly the
 * size of the compressed bytes.
 *
 * scripts/build-kernels.ts writes it, and reads it back by this reader before it is used.
 */

/** Printable ASCII, except characters that strings of any kind or markup would escape. */
export const CHARACTERS = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).filter(
  (character) => !'"$\'<\\`'.includes(character),
);
/** The first characters only announce a second one: each turns to another page of bytes. */
export const PAGES = 2;
/** Bytes that are one character. */
export const FREQUENT = CHARACTERS.length - PAGES;

/** The most frequent bytes of the kernels, the most frequent first. */
const OFTEN = [
  ...[32, 0, 253, 1, 4, 2, 33, 11, 65, 3, 106, 34, 12, 64, 16, 5, 8, 7, 6, 13, 9],
  ...[10, 40, 228, 15, 14, 128, 127, 141, 142, 116, 107, 73, 48, 240, 113, 20, 18, 108, 19, 27, 17],
  ...[229, 95, 21, 22, 63, 24, 230, 23, 75, 80, 101, 25, 255, 26, 43, 118, 242, 68, 97, 114, 162],
  ...[123, 29, 110, 28, 42, 160, 54, 96, 124, 69, 56, 79, 35, 31, 70, 30, 252, 52, 94, 67, 187],
  ...[36, 78, 44],
];
/** All bytes in the order of their texts: the frequent bytes, then all others by value. */
export const ORDER: readonly number[] = [
  ...new Set([...OFTEN, ...Array.from({ length: 256 }, (_, byte) => byte)]),
];

/** Reads the bytes of `text`. */
export function decode(text: string): Uint8Array<ArrayBuffer> {
  const numbers = new Uint8Array(128);
  CHARACTERS.forEach((character, i) => {
    numbers[character.charCodeAt(0)] = i;
  });
  const bytes = new Uint8Array(text.length);
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    const first = numbers[text.charCodeAt(i)];
    let place = first - PAGES;
    if (place < 0) {
      i++;
      place = FREQUENT + first * CHARACTERS.length + numbers[text.charCodeAt(i)];
    }
    bytes[length++] = ORDER[place];
  }
  return bytes.slice(0, length);
}

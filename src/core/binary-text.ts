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
  ...[0, 32, 253, 1, 4, 65, 33, 11, 2, 34, 3, 106, 12, 127, 128, 16, 64, 255, 5, 8, 13, 7, 6],
  ...[9, 10, 40, 228, 123, 15, 14, 119, 230, 116, 171, 240, 80, 73, 78, 108, 107, 27, 19, 48],
  ...[17, 113, 20, 18, 24, 229, 21, 95, 22, 43, 23, 68, 26, 118, 25, 162, 75, 59, 81, 63, 28],
  ...[124, 35, 31, 133, 56, 29, 242, 110, 114, 67, 101, 241, 160, 96, 30, 173, 174, 97, 44, 52],
  ...[36, 42, 252],
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

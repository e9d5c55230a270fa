/**
 * WebAssembly as text. A byte is one printable character if it is one of the most frequent ones,
 * else two. Unlike base64, repeated code stays repeated text, which gzip finds: the text of both
 * builds of the kernels compresses to 12.6 KB (hexadecimal: 19.2, base64: 25.4).
 *
 * scripts/build-kernels.ts writes it, and reads it back by this reader before it is used.
 */

/** Printable ASCII without what strings of any kind or markup would escape. */
export const CHARACTERS = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).filter(
  (character) => !'"$\'<\\`'.includes(character),
);
/** The first characters only announce a second one: each turns to another page of bytes. */
export const PAGES = 2;
/** Bytes that are one character. */
export const FREQUENT = CHARACTERS.length - PAGES;

/** All bytes in the order of their texts: the frequent ones, then the others by value. */
export function orderOf(frequent: readonly number[]): number[] {
  const others = Array.from({ length: 256 }, (_, byte) => byte);
  return [...frequent, ...others.filter((byte) => !frequent.includes(byte))];
}

/** The bytes of `text`; `frequent` are those that are one character. */
export function decode(text: string, frequent: readonly number[]): Uint8Array<ArrayBuffer> {
  const order = orderOf(frequent);
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
    bytes[length++] = order[place];
  }
  return bytes.slice(0, length);
}

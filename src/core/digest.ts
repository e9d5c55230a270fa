/** 32-bit digests of arrays and texts, to tell if two are the same. Not for secrets. */

import { bufferOf } from './typed-arrays.js';

/** Digest of an array's bits: -0 is not 0, and each NaN is itself. */
export function digestOf(data: ArrayBufferView): number {
  const { byteOffset, byteLength } = data;
  const buffer = bufferOf(data);
  let hash = byteLength | 0;
  if (byteOffset % 4 === 0) {
    const words = new Int32Array(buffer, byteOffset, byteLength >> 2);
    for (let i = 0; i < words.length; i++) hash = mix(hash, words[i]);
  }
  const from = byteOffset % 4 === 0 ? byteLength & ~3 : 0;
  const bytes = new Uint8Array(buffer, byteOffset + from, byteLength - from);
  for (let i = 0; i < bytes.length; i++) hash = mix(hash, bytes[i]);
  return finish(hash);
}

/** Digest of a text. */
export function digestOfText(text: string): number {
  let hash = text.length;
  for (let i = 0; i < text.length; i++) hash = mix(hash, text.charCodeAt(i));
  return finish(hash);
}

/** One round of MurmurHash3 (Appleby, public domain). */
function mix(hash: number, word: number): number {
  const product = Math.imul(word, 0xcc9e2d51);
  const turned = hash ^ Math.imul((product << 15) | (product >>> 17), 0x1b873593);
  return (Math.imul((turned << 13) | (turned >>> 19), 5) + 0xe6546b64) | 0;
}

/** The final step: every bit of the input moves every bit of the digest. */
function finish(hash: number): number {
  let out = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  out = Math.imul(out ^ (out >>> 13), 0xc2b2ae35);
  return out ^ (out >>> 16);
}

/** Files of made-up headers and bytes. */

/** A file of a header, as text or value, and bytes behind it. */
export function fileOf(header: unknown, data: ArrayLike<number> = [], length?: bigint): Uint8Array {
  const text = typeof header === 'string' ? header : JSON.stringify(header);
  const head = new TextEncoder().encode(text);
  const bytes = new Uint8Array(8 + head.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(head.length), true);
  bytes.set(head, 8);
  bytes.set(data, 8 + head.length);
  return bytes;
}

export const entry = (dtype: string, shape: unknown, ...data_offsets: unknown[]) => ({
  ...{ dtype, shape, data_offsets },
});

/** What `run` throws. */
export function caught(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('expected an error, got none');
}

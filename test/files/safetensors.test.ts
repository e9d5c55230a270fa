import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { type DType, SyncBatchNorm, Tensor } from 'syncbn';
import {
  decodeSafetensors,
  encodeSafetensors,
  readSafetensors,
  stateOf,
  writeSafetensors,
} from 'syncbn/models';
import { describe, expect, it } from 'vitest';
import { workspace } from '../launch/support.js';
import { caught, entry, fileOf } from './made-up.js';

const DTYPES: readonly DType[] = ['float32', 'float64', 'float16', 'bfloat16'];

const bitsOf = ({ data }: Tensor) =>
  Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex');

/** Any tensor, of any bits. */
const tensor = fc
  .tuple(
    fc.constantFrom(...DTYPES),
    fc.array(fc.nat(3), { maxLength: 3 }),
    fc.uint8Array({ minLength: 216, maxLength: 216 }),
  )
  .map(([dtype, shape, bytes]) => {
    const made = Tensor.zeros(shape, dtype);
    const { buffer, byteLength } = made.data;
    new Uint8Array(buffer).set(bytes.subarray(0, byteLength));
    return made;
  });
const name = fc.oneof(
  fc.constantFrom('w', 'bn1.weight', '__proto__', 'constructor', 'ü', '"', '\u0000', ''),
  fc.string(),
);

describe('safetensors', () => {
  it('keep names, shapes, types and all bits, and lie where arrays of their type may', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(name, tensor), { selector: ([key]) => key, maxLength: 6 }),
        fc.option(fc.dictionary(fc.string(), fc.string()), { nil: undefined }),
        (pairs, metadata) => {
          const kept = pairs.filter(([key]) => key !== '__metadata__');
          const tensors = Object.fromEntries(kept);
          const bytes = encodeSafetensors(tensors, metadata === undefined ? {} : { metadata });
          const found = decodeSafetensors(bytes);
          expect(Object.keys(found.tensors).sort()).toEqual(Object.keys(tensors).sort());
          for (const [key, own] of kept) {
            const other = found.tensors[key];
            expect([other.dtype, other.shape, bitsOf(other)]).toEqual([
              own.dtype,
              own.shape,
              bitsOf(own),
            ]);
          }
          expect({ ...found.metadata }).toEqual({ ...metadata });
          const start = Number(new DataView(bytes.buffer).getBigUint64(0, true));
          expect(start % 8).toBe(0);
        },
      ),
    );
  });

  it('are the bytes that the format’s own library writes', () => {
    // safetensors 0.8 for Python: save({'b': float32 [1, 2], 'a': float16 [3], 'c': float64 5}).
    const header =
      '{"c":{"dtype":"F64","shape":[],"data_offsets":[0,8]},' +
      '"b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},' +
      '"a":{"dtype":"F16","shape":[1],"data_offsets":[16,18]}}';
    const bytes = encodeSafetensors({
      a: Tensor.from([3], [1], 'float16'),
      b: Tensor.from([1, 2]),
      c: Tensor.from([5], [], 'float64'),
    });
    const padded = header.padEnd(Math.ceil(header.length / 8) * 8);
    const data = [0, 0, 0, 0, 0, 0, 0x14, 0x40, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, 0, 0x42];
    expect(Buffer.from(bytes)).toEqual(Buffer.from(fileOf(padded, data)));
  });

  it('hold the states of layers, whose numbers of batches may be integers', () => {
    const layer = new SyncBatchNorm(2);
    layer.weight.data.data.set([3, 4]);
    const bytes = encodeSafetensors({ bn1: layer.stateDict({ names: 'pytorch' }) });
    const { tensors } = decodeSafetensors(bytes);
    expect(Object.keys(tensors).sort()).toEqual([
      'bn1.bias',
      'bn1.num_batches_tracked',
      'bn1.running_mean',
      'bn1.running_var',
      'bn1.weight',
    ]);
    const other = new SyncBatchNorm(2);
    other.loadStateDict(stateOf(tensors, 'bn1'), { names: 'pytorch' });
    expect([...other.weight.data.data]).toEqual([3, 4]);
    const counted = fileOf({ n: entry('I64', [], 0, 8) }, [7, 0, 0, 0, 0, 0, 0, 0]);
    const { n } = decodeSafetensors(counted).tensors;
    const state = { ...other.stateDict({ names: 'pytorch' }), num_batches_tracked: n };
    other.loadStateDict(state, { names: 'pytorch' });
    expect([...other.numBatchesTracked.data]).toEqual([7]);
  });

  it('may hold integers and booleans of all widths, which come as float64', () => {
    const cases: [string, number[], number[]][] = [
      ['I64', [0xfe, 255, 255, 255, 255, 255, 255, 255], [-2]],
      ['U64', [1, 0, 0, 0, 0, 0, 0x10, 0], [2 ** 52 + 1]],
      ['I32', [255, 255, 255, 255], [-1]],
      ['U32', [255, 255, 255, 255], [2 ** 32 - 1]],
      ['I16', [0, 128], [-32768]],
      ['U16', [0, 128], [32768]],
      ['I8', [128], [-128]],
      ['U8', [128], [128]],
      ['BOOL', [1, 0], [1, 0]],
    ];
    for (const [dtype, data, values] of cases) {
      const file = fileOf({ x: entry(dtype, [values.length], 0, data.length) }, data);
      const { x } = decodeSafetensors(file).tensors;
      expect([dtype, x.dtype, [...x.data]]).toEqual([dtype, 'float64', values]);
    }
  });

  it.each<[unknown, string]>([
    [null, 'encodeSafetensors: expected tensors by name, got null'],
    [{ w: 3 }, "encodeSafetensors: 'w' is not a tensor: "],
    [{ w: null }, "encodeSafetensors: 'w' is not a tensor: "],
    [{ w: { v: 3 } }, "encodeSafetensors: 'w.v' is not a tensor: "],
    [{ w: [1] }, "encodeSafetensors: 'w.0' is not a tensor: "],
  ])('are not made of %j', (tensors, message) => {
    const error = caught(() => encodeSafetensors(tensors as never));
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toContain(message);
  });

  it('have one tensor a name, text beside them, and no other options', () => {
    const w = Tensor.ones([1]);
    expect(() => encodeSafetensors({ 'a.w': w, a: { w } })).toThrow(
      new RangeError("encodeSafetensors: there are two tensors called 'a.w'"),
    );
    expect(() => encodeSafetensors({ __metadata__: w })).toThrow(
      new RangeError('encodeSafetensors: no tensor can be called __metadata__'),
    );
    expect(() => encodeSafetensors({ w }, { metadata: { n: 1 as never } })).toThrow(
      new TypeError("encodeSafetensors: metadata 'n' must be text, got 1"),
    );
    expect(() => encodeSafetensors({ w }, { meta: {} } as never)).toThrow(
      /^encodeSafetensors: unknown option 'meta'; known are metadata/,
    );
    expect(() => decodeSafetensors('w' as never)).toThrow(
      new TypeError("decodeSafetensors: expected a Uint8Array or an ArrayBuffer, got 'w'"),
    );
  });
});

describe('safetensors files', () => {
  it('are written whole, in place of older ones, and read again', async () => {
    const folder = workspace();
    const path = join(folder, 'weights.safetensors');
    await writeSafetensors(path, { w: Tensor.ones([2]) });
    await writeSafetensors(pathToFileURL(path), { w: Tensor.from([7]) }, { metadata: { a: 'b' } });
    const { tensors, metadata } = await readSafetensors(path);
    expect([[...tensors.w.data], { ...metadata }]).toEqual([[7], { a: 'b' }]);
    expect(existsSync(`${path}.partial`)).toBe(false);
    await expect(writeSafetensors(path, { w: 1 as never })).rejects.toThrow(TypeError);
    expect(readFileSync(path)).toEqual(Buffer.from(encodeSafetensors(tensors, { metadata })));
  });

  it('that cannot be read or written say why', async () => {
    const folder = workspace();
    await expect(readSafetensors(join(folder, 'none'))).rejects.toThrow(/ENOENT/);
    await expect(writeSafetensors(join(folder, 'none/w'), {})).rejects.toThrow(/ENOENT/);
    writeFileSync(join(folder, 'short'), 'abc');
    await expect(readSafetensors(join(folder, 'short'))).rejects.toThrow(RangeError);
  });
});

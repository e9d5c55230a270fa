import fc from 'fast-check';
import { Tensor } from 'syncbn';
import { decodeSafetensors, encodeSafetensors } from 'syncbn/models';
import { describe, expect, it } from 'vitest';
import { caught, entry, fileOf } from './made-up.js';

describe('safetensors that are damaged', () => {
  it.each<[string, Uint8Array, string]>([
    ['no bytes', new Uint8Array(7), 'a file has 8 bytes at least, got 7'],
    [
      'a header past the end',
      fileOf('{}', [], 3n),
      'the header would have 3 bytes, the file has 2 after them',
    ],
    [
      'a header of 2^63 bytes',
      fileOf('{}', [], 2n ** 63n),
      'the header would have 9223372036854775808 bytes, the file has 2 after them',
    ],
    ['no header', fileOf(''), "the header must begin with '{'"],
    ['spaces first', fileOf(' {}'), "the header must begin with '{'"],
    ['a list', fileOf('[]'), "the header must begin with '{'"],
    ['half a header', fileOf('{"a":'), 'the header is not JSON: '],
    ['bytes that are no text', fileOf('{').fill(0xff, 8), "the header must begin with '{'"],
    ['metadata that are a list', fileOf({ __metadata__: [] }), '__metadata__ must be text by name'],
    [
      'metadata that are numbers',
      fileOf({ __metadata__: { a: 1 } }),
      "__metadata__ 'a' must be text, got 1",
    ],
    ['an entry that is null', fileOf({ w: null }), "'w' must be described by an object, got null"],
    [
      'an unknown type',
      fileOf({ w: entry('F8_E4M3', [1], 0, 1) }, [0]),
      "'w' has dtype 'F8_E4M3'; known are F64, F32, F16, BF16, I64, U64, I32, U32, I16, U16, I8, U8, BOOL",
    ],
    [
      'a type that objects have',
      fileOf({ w: entry('constructor', [1], 0, 1) }, [0]),
      "'w' has dtype 'constructor'; known are",
    ],
    ['a negative size', fileOf({ w: entry('F32', [-1], 0, 4) }), "'w' must have a list of sizes"],
    ['a size in text', fileOf({ w: entry('F32', ['1'], 0, 4) }), "'w' must have a list of sizes"],
    [
      'offsets that fall',
      fileOf({ w: entry('F32', [1], 4, 0) }),
      "'w' must have two data_offsets in rising order",
    ],
    [
      'one offset',
      fileOf({ w: entry('F32', [1], 4) }),
      "'w' must have two data_offsets in rising order",
    ],
    [
      'sizes that overflow',
      fileOf({ w: entry('F32', [2 ** 50, 2 ** 50], 0, 4) }, [0, 0, 0, 0]),
      "'w' of shape (1125899906842624, 1125899906842624) F32 cannot have 4 bytes",
    ],
    [
      'bytes of another shape',
      fileOf({ w: entry('F32', [2], 0, 4) }, [0, 0, 0, 0]),
      "'w' of shape (2,) F32 cannot have 4 bytes",
    ],
    [
      'a hole',
      fileOf({ w: entry('U8', [1], 1, 2) }, [0, 0]),
      "'w' begins at byte 1, the one before it ends at 0",
    ],
    [
      'tensors one over the other',
      fileOf({ a: entry('U8', [2], 0, 2), b: entry('U8', [2], 1, 3) }, [0, 0, 0]),
      "'b' begins at byte 1, the one before it ends at 2",
    ],
    [
      'bytes past the tensors',
      fileOf({ w: entry('U8', [1], 0, 1) }, [0, 0]),
      'the tensors end at byte 1, the file at 2',
    ],
    [
      'tensors past the bytes',
      fileOf({ w: entry('U8', [9], 0, 9) }, [0]),
      'the tensors end at byte 9, the file at 1',
    ],
    [
      'an integer of 54 bits',
      fileOf({ w: entry('I64', [1], 0, 8) }, [1, 0, 0, 0, 0, 0, 0x20, 0]),
      "'w'[0] is 9007199254740993, which is no number that float64 holds",
    ],
    [
      'a boolean of 2',
      fileOf({ w: entry('BOOL', [1], 0, 1) }, [2]),
      "'w'[0] is 2, which is no boolean",
    ],
  ])('are refused with their fault: %s', (_, bytes, message) => {
    const error = caught(() => decodeSafetensors(bytes));
    expect(error).toBeInstanceOf(RangeError);
    expect((error as Error).message).toContain(`decodeSafetensors: ${message}`);
  });

  it('are whole or refused, whatever bytes are changed, cut off or made up', () => {
    const good = encodeSafetensors(
      { a: Tensor.from([1, 2, 3], [3], 'bfloat16'), b: Tensor.from([[4, 5]].flat(), [1, 2]) },
      { metadata: { by: 'a test' } },
    );
    const changed = fc
      .array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
      .map((changes) => {
        const bytes = good.slice();
        for (const [at, value] of changes) bytes[at] = value;
        return bytes;
      });
    const cut = fc.nat(good.length - 1).map((length) => good.slice(0, length));
    const headers = fc.json().map((text) => fileOf(text, [0, 0, 0, 0]));
    const any = fc.uint8Array({ maxLength: 64 });
    fc.assert(
      fc.property(fc.oneof(changed, cut, headers, any), (bytes) => {
        let tensors: Record<string, Tensor>;
        try {
          ({ tensors } = decodeSafetensors(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
          expect((error as Error).message).toMatch(/^decodeSafetensors: /);
          return;
        }
        const size = Object.values(tensors).reduce((sum, { data }) => sum + data.length, 0);
        expect(size).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 2000 },
    );
  });
});

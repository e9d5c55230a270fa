/**
 * The part of koffi that MPI needs. koffi is optional and loaded when a world of processes is
 * joined; its name is a variable so that nothing tries to bundle or resolve it before.
 */

/** A native function; takes and returns numbers, since every parameter is declared int64. */
export type NativeCall = (...args: number[]) => number;

export interface NativeLibrary {
  func(name: string, result: string, parameters: readonly unknown[]): NativeCall;
  symbol(name: string): unknown;
}

export interface Koffi {
  load(path: string | null, options?: { global?: boolean }): NativeLibrary;
  alloc(type: string, length: number): unknown;
  free(pointer: unknown): void;
  view(pointer: unknown, bytes: number): ArrayBuffer;
  address(value: unknown): bigint;
}

const NAME = 'koffi';

/** @throws Error that says how to install koffi, when it is not there */
export async function loadKoffi(): Promise<Koffi> {
  try {
    return ((await import(NAME)) as { default: Koffi }).default;
  } catch (cause) {
    throw new Error(
      'ranks that are processes need the package koffi, which could not be loaded; install it with: npm install koffi',
      { cause },
    );
  }
}

/** Address of an array's first byte. Numbers hold it: no system maps memory beyond 2^53. */
export function addressOf(koffi: Koffi, value: unknown): number {
  return Number(koffi.address(value));
}

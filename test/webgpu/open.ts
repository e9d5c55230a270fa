/** WebGPU in Node: Dawn, from the package `webgpu`, over the machine's Vulkan driver. */

import { create, globals } from 'webgpu';

/** The adapter that this thread's programs get. */
export interface Adapter {
  vendor: string;
  architecture: string;
  device: string;
  description: string;
  /** True for drivers that compute on the processor. */
  isSoftware: boolean;
  features: string[];
  limits: Record<string, number>;
}

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|software/i;

/**
 * Gives this thread `navigator.gpu` and WebGPU's constants, as a browser has them.
 * @throws Error if there is no driver
 */
export async function openWebgpu(): Promise<Adapter> {
  Object.assign(globalThis, globals);
  // Reachable for as long as the thread lives: Dawn crashes if it is collected before its devices.
  const navigator = { gpu: create([]), userAgent: 'node' };
  const property = { value: navigator, configurable: true, writable: true };
  Object.defineProperty(globalThis, 'navigator', property);
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null) {
    throw new Error('WebGPU: no adapter; is there a Vulkan loader (libvulkan.so.1) and a driver?');
  }
  const { vendor, architecture, device, description } = adapter.info;
  return {
    ...{ vendor, architecture, device, description },
    isSoftware: SOFTWARE.test(`${vendor} ${architecture} ${device} ${description}`),
    features: [...adapter.features].sort(),
    limits: limitsOf(adapter.limits),
  };
}

/** Limits are accessors of the prototype. */
function limitsOf(limits: GPUSupportedLimits): Record<string, number> {
  const names = Object.keys(Object.getPrototypeOf(limits)).concat(Object.keys(limits));
  const values = limits as unknown as Record<string, unknown>;
  const numbers = names.filter((name) => typeof values[name] === 'number');
  return Object.fromEntries(numbers.map((name) => [name, values[name] as number]));
}

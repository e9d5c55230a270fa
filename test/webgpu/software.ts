/** A Vulkan driver that computes on the processor: SwiftShader, which Debian's Chromium brings. */

import { existsSync } from 'node:fs';
import koffi from 'koffi';

const FOLDER = '/usr/lib/chromium';
const DRIVER = `${FOLDER}/vk_swiftshader_icd.json`;
const LOADER = `${FOLDER}/libvulkan.so.1`;

/** Reachable as long as the process lives: koffi unloads a library that is collected. */
export let loader: ReturnType<typeof koffi.load> | null = null;

/**
 * Lets this process find SwiftShader and no other driver. Runs on the main thread, before WebGPU is
 * opened on any.
 * @throws Error if Chromium is not installed
 */
export function useSoftwareVulkan(): void {
  for (const file of [DRIVER, LOADER]) {
    if (existsSync(file)) continue;
    throw new Error(`WebGPU's tests need ${file}, which Debian's package chromium brings`);
  }
  process.env.VK_ICD_FILENAMES = DRIVER;
  process.env.VK_DRIVER_FILES = DRIVER;
  // Dawn asks for libvulkan.so.1 by its name alone, and gets the one that is loaded.
  loader = koffi.load(LOADER);
}

import { init, release } from 'syncbn';
import { launchWorkers } from 'syncbn/browser';

const results = (script) =>
  launchWorkers(() => new Worker(new URL(script, import.meta.url), { type: 'module' }), {
    workerNum: 2,
    timeout: 20,
  }).done;

async function checked() {
  try {
    await init({ check: true });
    release();
    return 'on';
  } catch (error) {
    return error.message;
  }
}

globalThis.trained = (async () => ({
  without: await results('./without.js'),
  with: await results('./with.js'),
  checked: await checked(),
}))();

// The parent's side of a worker process: one contender in one role.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('./worker-main.mjs', import.meta.url));
const CALL_TIMEOUT_MS = 120_000;

/** Starts `contender` (a file of bench/contenders) as `'publisher'`, `'consumer'`, `'client'`, `'server'` or `'alone'` and resolves when it is ready. */
export async function startWorker(contender, role, options) {
  const child = fork(main, [contender, role, JSON.stringify(options)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const worker = new Worker(child, `${contender} (${role})`);
  await worker.call('start').catch(async (error) => {
    await worker.stop();
    throw error;
  });
  return worker;
}

/** Starts a worker for each of `roles`, all at a time. When one fails, those that started are stopped. */
export async function startWorkers(contender, roles, options) {
  const starts = await Promise.allSettled(roles.map((role) => startWorker(contender, role, options)));
  const failed = starts.find(({ status }) => status === 'rejected');
  if (failed === undefined) return starts.map(({ value }) => value);
  await Promise.all(starts.map(({ value }) => value?.stop()));
  throw failed.reason;
}

class Worker {
  constructor(child, name) {
    this.child = child;
    this.name = name;
    this.calls = new Map();
    this.lastCall = 0;
    child.on('message', ({ call, result, error }) => {
      const pending = this.calls.get(call);
      this.calls.delete(call);
      if (error) pending?.reject(new Error(`${name}: ${error}`));
      else pending?.resolve(result);
    });
    child.on('exit', (code, signal) => {
      for (const { reject } of this.calls.values()) reject(new Error(`${name} ended (${signal ?? code})`));
    });
  }

  /** Asks the worker to do something and resolves with what it answers. */
  call(command, options = {}) {
    const call = ++this.lastCall;
    return new Promise((resolve, reject) => {
      const late = () => reject(new Error(`${this.name}: no answer to "${command}" in time`));
      const timer = setTimeout(late, CALL_TIMEOUT_MS);
      const settle = (then) => (value) => {
        clearTimeout(timer);
        then(value);
      };
      this.calls.set(call, { resolve: settle(resolve), reject: settle(reject) });
      this.child.send({ call, command, options });
    });
  }

  async stop() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = new Promise((resolve) => this.child.once('exit', resolve));
    const kill = setTimeout(() => this.child.kill('SIGKILL'), 5_000);
    this.child.disconnect();
    await exited;
    clearTimeout(kill);
  }
}

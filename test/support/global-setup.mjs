import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Finds or fetches a redis-server once; the workers inherit its path. Throws, and so fails the run, where there is none. */
export default function globalSetup() {
  const script = fileURLToPath(new URL('./redis-server.sh', import.meta.url));
  process.env.REDIS_SERVER_BIN = execFileSync('sh', [script], { stdio: ['ignore', 'pipe', 'inherit'] })
    .toString()
    .trim();
  process.once('beforeExit', leaveAtOnce);
}

/**
 * Node 20 now and then spins for ever while it tears down a process that has nothing left to do (nodejs/node#47748). So
 * once the event loop has drained by itself, leave without the teardown; a run that leaks a handle still never gets here.
 * Jest settles the exit code in an `exit` listener, which is why ours is added last.
 */
function leaveAtOnce() {
  process.on('exit', () => process.reallyExit(process.exitCode ?? 0));
}

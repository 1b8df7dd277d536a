import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Finds or fetches a redis-server once; the workers inherit its path. Throws, and so fails the run, where there is none. */
export default function globalSetup() {
  const script = fileURLToPath(new URL('./redis-server.sh', import.meta.url));
  process.env.REDIS_SERVER_BIN = execFileSync('sh', [script], { stdio: ['ignore', 'pipe', 'inherit'] })
    .toString()
    .trim();
}

// A microservice process: answers and handles events as its SERVER environment says, and journals over IPC what it does.
import { DiscoBusServer } from '../../lib/transport/disco-bus.server.js';
import { pause } from '../support/waiting.js';
import type { ServerConfig, ServerEntry } from './rpc-processes.js';

const config = JSON.parse(process.env.SERVER ?? '{}') as ServerConfig;
const { url, prefix } = config;
const server = new DiscoBusServer({ url, prefix, service: 'fault', shutdownTimeout: '10s' });

function tell(entry: ServerEntry): void {
  process.send?.(entry);
}

async function work(n: number): Promise<number> {
  tell({ type: 'begun', n });
  if (config.workMs > 0) await pause(config.workMs);
  tell({ type: 'done', n });
  return n;
}

server.addHandler('work', work);
server.addHandler('happened', async (n: number) => tell({ type: 'event', n }), true, {
  delivery: 'at-least-once',
});
server.addHandler('noticed', async (n: number) => tell({ type: 'noticed', n }), true, {
  delivery: 'at-most-once',
});
server.listen((error) => {
  if (error) throw new Error('the server cannot listen', { cause: error });
  tell({ type: 'ready', n: 0 });
});
process.once('SIGTERM', () => {
  server.close().then(
    () => process.disconnect(),
    () => process.exit(1),
  );
});
process.once('disconnect', () => process.exit(0));

// Bare ioredis with auto-pipelining: JSON, PUBLISH → 'message' listener, JSON. No ids, headers, metrics or framework.
import { fromRoot } from '../harness/library.mjs';

const { Redis } = await fromRoot('ioredis');

const CHANNEL = 'bench-bare';

/** Resolves with a function that publishes a payload. */
export async function publisher({ url }) {
  const client = new Redis(url, { enableAutoPipelining: true });
  await client.ping();
  return (payload) => client.publish(CHANNEL, JSON.stringify(payload));
}

/** Resolves when the channel is subscribed. */
export async function consumer({ url }, take) {
  const client = new Redis(url);
  client.on('message', (_channel, text) => take(JSON.parse(text)));
  await client.subscribe(CHANNEL);
}

// The floor of pub/sub: bundles over ioredis, and nothing else. JSON as one array; raw bodies each behind its length.
import { Bundles } from '../harness/bundles.mjs';
import { fromRoot } from '../harness/library.mjs';

const { Redis } = await fromRoot('ioredis');

const TEXTS = 'pubsub-floor';
const BYTES = 'pubsub-floor-raw';

/** Resolves with a function that publishes a payload. */
export async function publisher({ url }) {
  const client = new Redis(url);
  await client.ping();
  const texts = new Bundles((items) => client.publish(TEXTS, `[${items.join(',')}]`));
  const bytes = new Bundles((items) => client.publish(BYTES, Buffer.concat(items.flatMap(measured))));
  return (payload) => (Buffer.isBuffer(payload) ? bytes.add(payload) : texts.add(JSON.stringify(payload)));
}

/** Resolves when both channels are subscribed. */
export async function consumer({ url }, take) {
  const client = new Redis(url);
  client.on('messageBuffer', (channel, bundle) => {
    if (channel.toString() === TEXTS) for (const payload of JSON.parse(bundle.toString())) take(payload);
    else cut(bundle, take);
  });
  await client.subscribe(TEXTS, BYTES);
}

function measured(body) {
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32BE(body.length);
  return [length, body];
}

function cut(bundle, take) {
  for (let at = 0; at < bundle.length; ) {
    const end = at + 4 + bundle.readUInt32BE(at);
    take(bundle.subarray(at + 4, end));
    at = end;
  }
}

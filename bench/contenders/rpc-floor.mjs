// The floor of requests: bundles over ioredis, one inbox for the replies, and nothing else: no Nest, no deadlines, no
// headers, no errors. A bundle is a JSON array: ids and payloads in turn, behind the inbox where they are requests.
import { Bundles } from '../harness/bundles.mjs';
import { fromRoot } from '../harness/library.mjs';

const { Redis } = await fromRoot('ioredis');

const INBOX = 'rpc-floor-inbox';
const limits = { most: 128 };
const channelOf = (instance) => `rpc-floor-${instance}`;

/** Resolves with a function that asks the servers in turn and resolves with the reply. */
export async function client({ url, instances }) {
  const sender = new Redis(url);
  const waiting = [];
  const free = [];
  await receive(url, INBOX, (replies) => {
    for (let at = 0; at < replies.length; at += 2) {
      waiting[replies[at]](replies[at + 1]);
      free.push(replies[at]);
    }
  });
  const lanes = Array.from({ length: instances }, (_, instance) => {
    const send = (items) => sender.publish(channelOf(instance), `["${INBOX}",${items.join(',')}]`);
    return new Bundles(send, limits);
  });
  let turn = 0;
  return (payload) =>
    new Promise((resolve, reject) => {
      const id = free.pop() ?? waiting.length;
      waiting[id] = resolve;
      lanes[turn++ % instances].add(`${id},${JSON.stringify(payload)}`).catch(reject);
    });
}

/** Resolves when requests arrive. */
export async function server({ url, instance }) {
  const sender = new Redis(url);
  const lanes = new Map();
  const laneOf = (inbox) => {
    if (!lanes.has(inbox)) {
      lanes.set(inbox, new Bundles((items) => sender.publish(inbox, `[${items.join(',')}]`), limits));
    }
    return lanes.get(inbox);
  };
  await receive(url, channelOf(instance), ([inbox, ...requests]) => {
    const lane = laneOf(inbox);
    for (let at = 0; at < requests.length; at += 2) {
      void lane.add(`${requests[at]},${JSON.stringify(handle(requests[at + 1]))}`);
    }
  });
}

/** What the handlers of the others do. */
function handle(payload) {
  return payload;
}

async function receive(url, channel, take) {
  const receiver = new Redis(url);
  receiver.on('message', (_channel, text) => take(JSON.parse(text)));
  await receiver.subscribe(channel);
}

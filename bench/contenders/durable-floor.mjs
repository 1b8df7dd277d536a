// The floor of at least once: a stream whose entries are bundles, a consumer group, and nothing else. What was read is
// handled, acknowledged and deleted; nothing is redelivered, and an entry that was stored twice would be handled twice.
import { Bundles } from '../harness/bundles.mjs';
import { fromRoot } from '../harness/library.mjs';

const { Redis } = await fromRoot('ioredis');

const STREAM = 'durable-floor';
const GROUP = 'bench';
const MESSAGES_PER_ENTRY = 32;
/** Entries that one read may bring. */
const COUNT = '16';

/** Resolves with a function that stores a payload; its `bulk` stores several. */
export async function publisher({ url }) {
  const client = new Redis(url);
  await client.ping();
  const bundles = new Bundles((items) => add(client, items), { most: 512, characters: 256 * 1024 });
  const publish = (payload) => bundles.add(JSON.stringify(payload));
  return Object.assign(publish, { bulk: (payloads) => Promise.all(payloads.map(publish)) });
}

/** The entries of one bundle, in one pipeline. */
async function add(client, items) {
  const pipeline = client.pipeline();
  for (let at = 0; at < items.length; at += MESSAGES_PER_ENTRY) {
    pipeline.xadd(STREAM, '*', 'm', `[${items.slice(at, at + MESSAGES_PER_ENTRY).join(',')}]`);
  }
  await executed(pipeline);
}

/** Resolves when the group is there. */
export async function consumer({ url }, take) {
  const reader = new Redis(url);
  const client = new Redis(url);
  await client.xgroup('CREATE', STREAM, GROUP, '$', 'MKSTREAM');
  void read(reader, client, take);
}

async function read(reader, client, take) {
  const from = ['GROUP', GROUP, 'one', 'COUNT', COUNT, 'BLOCK', '5000', 'STREAMS', STREAM, '>'];
  for (;;) {
    const streams = await reader.xreadgroup(...from);
    if (!streams) continue;
    const entries = streams[0][1];
    for (const [, [, texts]] of entries) for (const payload of JSON.parse(texts)) take(payload);
    const ids = entries.map(([id]) => id);
    // Not waited for: the next read goes out meanwhile.
    void executed(
      client
        .pipeline()
        .xack(STREAM, GROUP, ...ids)
        .xdel(STREAM, ...ids),
    );
  }
}

async function executed(pipeline) {
  for (const [error] of await pipeline.exec()) if (error) throw error;
}

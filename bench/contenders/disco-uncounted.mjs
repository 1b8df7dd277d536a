// This library at least once, with the counting of messages taken out of what publishes: entries get the ids that Redis
// makes, no total is kept, and a bundle does not say how many messages it has. All else is as disco-durable has it.
import { createHash } from 'node:crypto';
import { fromInside } from '../harness/library.mjs';
import { publisher as ours } from './disco-durable.mjs';

const scripts = 'drivers/redis/streams';

/** Resolves with a function that publishes a payload; its `bulk` publishes several. */
export async function publisher(options) {
  const { publishScript } = await fromInside(`${scripts}/scripts/publish-scripts.js`);
  const { appendFunction } = await fromInside(`${scripts}/scripts/shared-lua.js`);
  const { asBuffer, StreamScript } = await fromInside(`${scripts}/stream-script.js`);
  const { PublishBatch } = await fromInside(`${scripts}/publish/publish-batch.js`);
  replaceScript(StreamScript, publishScript, uncounted(publishScript, appendFunction));
  sayNoNumber(PublishBatch, asBuffer);
  return ours(options);
}

/** The script without what counts. */
function uncounted(script, appendFunction) {
  const changes = [
    [appendFunction, ''],
    [
      "local id = append(tallyOf(stream, stream .. ':counts', ''), messages, messages, ...)",
      "local id = redis.pcall('XADD', stream, '*', ...)",
    ],
    [/ {4}-- Nobody will read the messages[\s\S]*? {4}tally\.cut = .*\n/, ''],
    [/for _, tally in pairs\(tallies\) do[\s\S]*?\nend\n/, ''],
  ];
  let text = script;
  for (const [from, to] of changes) {
    const without = text.replace(from, () => to);
    if (without === text) throw new Error(`The publish script counts in another way: it lacks ${from}`);
    text = without;
  }
  if (/tally|tallies|append\(/.test(text)) throw new Error('The publish script still counts');
  return text;
}

/** Has the library send the one text instead of the other. */
function replaceScript(StreamScript, before, after) {
  const { run } = StreamScript.prototype;
  StreamScript.prototype.run = function (...args) {
    if (this.text === before) {
      this.text = after;
      this.hash = createHash('sha1').update(after).digest('hex');
      StreamScript.prototype.run = run;
    }
    return run.apply(this, args);
  };
}

/** Each entry is sent as a single message is. */
function sayNoNumber(PublishBatch, asBuffer) {
  if (typeof PublishBatch.prototype.add !== 'function') throw new Error('Batches are filled in another way');
  PublishBatch.prototype.add = function ({ topic, frame, options }, keys) {
    const { deduplicate, delayMs = 0, ttlMs = 0 } = options;
    if (deduplicate || delayMs > 0 || ttlMs > 0) throw new Error('Only plain messages are published here');
    this.args.push('p', this.key(keys.topic(topic).stream), asBuffer(frame));
  };
}

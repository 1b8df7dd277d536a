// The floor of locks: what is taken and let go in one turn goes in one script call; who waits within the process stands in
// line there, and the lock goes to another process after at most 16 of them. Nothing else: no fencing, no end of a wait,
// no process that dies.
import { randomUUID } from 'node:crypto';
import { Bundles } from '../harness/bundles.mjs';
import { fromRoot } from '../harness/library.mjs';
import { Locker } from '../harness/locker.mjs';

const { Redis } = await fromRoot('ioredis');

const IN_A_ROW = 16;
/** For each key: `free` lets go, `take` asks, `again` does both. Who does not get it is published its key later. */
const script = `
  local got = {}
  for i, key in ipairs(KEYS) do
    local line, me, does = key .. ':line', ARGV[1], ARGV[i + 2]
    if does ~= 'take' and redis.call('GET', key) == me then
      local next = redis.call('LPOP', line)
      if next then
        redis.call('SET', key, next, 'PX', ARGV[2])
        redis.call('PUBLISH', next, key)
      else
        redis.call('DEL', key)
      end
    end
    got[i] = 0
    if does ~= 'free' then
      if redis.call('SET', key, me, 'NX', 'PX', ARGV[2]) then got[i] = 1 else redis.call('RPUSH', line, me) end
    end
  end
  return got`;

export async function alone({ url }) {
  const me = `locks-floor-${randomUUID()}`;
  const client = new Redis(url);
  const inbox = new Redis(url);
  client.defineCommand('floor', { lua: script });
  const keys = new Map();
  const calls = new Bundles(async (asked) => {
    const names = asked.map(({ key }) => key.name);
    const got = await client.floor(names.length, ...names, me, 10_000, ...asked.map(({ does }) => does));
    for (const [index, { key }] of asked.entries()) if (got[index] === 1) hold(key);
  });

  const ask = (key, does) => {
    key.mine = does !== 'free';
    return calls.add({ key, does }, 0);
  };
  const hold = (key) => {
    key.row = 0;
    passOn(key);
  };
  const passOn = (key) => key.line.shift()(() => release(key));
  const release = (key) => {
    if (key.line.length === 0) return ask(key, 'free');
    if (++key.row >= IN_A_ROW) return ask(key, 'again');
    return passOn(key);
  };

  inbox.on('message', (_channel, name) => hold(keys.get(name)));
  await inbox.subscribe(me);
  return new Locker((given) => {
    const name = `locks-floor:${given}`;
    if (!keys.has(name)) keys.set(name, { name, line: [], mine: false, row: 0 });
    const key = keys.get(name);
    return new Promise((resolve) => {
      key.line.push(resolve);
      if (!key.mine) void ask(key, 'take');
    });
  });
}

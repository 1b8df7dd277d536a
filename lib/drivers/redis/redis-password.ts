import type { Cluster, Redis } from 'ioredis';
import { ConfigurationError, NotConnectedError } from '../../errors/bus.errors.js';
import type { RedisPasswordSource } from './redis-address.js';
import { safeCopy } from './redis-error.js';

/**
 * The password that `source` gives. Rejects with NotConnectedError when the source throws or does not answer within
 * `timeoutMs`, and with ConfigurationError when what it gives is not a string.
 */
export async function askPassword(source: RedisPasswordSource, timeoutMs: number): Promise<string> {
  const password: unknown = await answerWithin(source, timeoutMs);
  if (typeof password === 'string' && password !== '') return password;
  throw new ConfigurationError(
    `redisDriver.password: the function must give a string, and gave ${password === '' ? 'an empty one' : `a value of type ${typeof password}`}`,
  );
}

/** Lets `cluster`, which makes the connections to its nodes itself, ask `source` for the password of each. */
export function renewPassword(cluster: Cluster, source: RedisPasswordSource, timeoutMs: number): void {
  let password: string | undefined;
  const ask = async () => {
    password = await askPassword(source, timeoutMs);
    return password;
  };
  // The client asks for the slots over connections of their own, which take over a node's options.
  const connect = cluster.connect.bind(cluster);
  cluster.connect = async () => {
    await ask();
    if (cluster.status === 'end') throw new NotConnectedError('The connection was closed meanwhile');
    return connect();
  };
  cluster.on('+node', (node: Redis) => {
    node.options.password = password;
    askBeforeSocket(node, ask);
  });
}

/** What of ioredis' Redis lies between `connect` and its socket, in 5 and 6. */
interface Inside {
  readonly connector: { connect(...args: unknown[]): Promise<unknown>; disconnect(): void };
  readonly condition?: { auth?: string | [string, string] };
}

/**
 * Has `ask` answered before `node` opens its socket. ioredis has no place for that: it fixes the login when `connect` is
 * called, and its commands need that to have happened at once.
 */
function askBeforeSocket(node: Redis, ask: () => Promise<string>): void {
  const inside = node as unknown as Inside;
  const { connector } = inside;
  const open = connector.connect.bind(connector);
  const close = connector.disconnect.bind(connector);
  let wanted = false;
  connector.connect = async (...args) => {
    wanted = true;
    const password = await ask();
    if (!wanted) throw new Error('Connection is closed.');
    const { options } = node;
    options.password = password;
    if (inside.condition) inside.condition.auth = options.username ? [options.username, password] : password;
    return open(...args);
  };
  connector.disconnect = () => {
    wanted = false;
    close();
  };
}

function answerWithin(source: RedisPasswordSource, timeoutMs: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string, cause?: unknown) =>
      reject(new NotConnectedError(`No password for Redis: ${reason}`, { cause }));
    const timer = setTimeout(() => fail(`the function did not answer within ${timeoutMs} ms`), timeoutMs);
    Promise.resolve()
      .then(source)
      .then(resolve, (error: unknown) => {
        // What clients of vaults throw often holds the request, token and all.
        const cause = safeCopy(error);
        fail(`the function failed: ${cause.message}`, cause);
      })
      .finally(() => clearTimeout(timer));
  });
}

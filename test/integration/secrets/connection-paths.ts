import { Redis } from 'ioredis';
import { lastValueFrom } from 'rxjs';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import { RedisLockStore } from '../../../lib/drivers/redis/locks/redis-lock-store.js';
import type { RedisDriverOptions } from '../../../lib/drivers/redis/redis-options.js';
import { LockManager } from '../../../lib/lock/lock-manager.js';
import { DiscoBusClient } from '../../../lib/transport/disco-bus.client.js';
import { DiscoBusServer } from '../../../lib/transport/disco-bus.server.js';
import { RedisServer } from '../../support/redis-server.js';
import { type FailingPath, failure, PASSWORD, PAYLOAD, type Witness } from './witness.js';

const critical = { critical: true, timeout: 1_500 };

/** A start that fails, of a driver with these options. */
const start = (fails: RegExp, options: () => RedisDriverOptions): FailingPath => ({
  fails,
  run: (witness) =>
    failure(async () => {
      const driver = witness.show(redisDriver({ connectTimeout: 1_000, ...options() }));
      await witness.bus({ driver, connection: critical }).start();
    }),
});

/** Options that are refused at once. */
const refused = (options: () => object): FailingPath => ({
  fails: /DISCO_CONFIGURATION/,
  run: () => failure(() => redisDriver(options() as RedisDriverOptions)),
});

/** A server with a password; `admin` may do everything. */
async function guarded(witness: Witness) {
  const server = await RedisServer.start();
  witness.after(() => server.stop());
  const admin = new Redis(server.url);
  witness.after(() => admin.disconnect());
  await admin.config('SET', 'requirepass', PASSWORD);
  return { server, admin, url: `redis://:${PASSWORD}@127.0.0.1:${server.port}` };
}

/** What an HTTP client throws: it holds what was sent. */
const vaultError = () =>
  Object.assign(new Error(`GET https://clinic:${PASSWORD}@vault/secret failed`), {
    config: { headers: { authorization: PASSWORD } },
    cause: new Error(PASSWORD),
  });

/** Ways not to get a connection, on `server`, which wants a password that is another one. */
export const connectionPaths = (server: () => RedisServer): Record<string, FailingPath> => ({
  'wrong password in the URL': start(/WRONGPASS/, () => ({
    url: `redis://:${PASSWORD}@127.0.0.1:${server().port}`,
  })),
  'wrong password as an option': start(/WRONGPASS/, () => ({ port: server().port, password: PASSWORD })),
  'wrong user': start(/WRONGPASS/, () => ({ port: server().port, username: 'nobody', password: PASSWORD })),
  'wrong user in the URL': start(/WRONGPASS/, () => ({
    url: `redis://nobody:${PASSWORD}@127.0.0.1:${server().port}`,
  })),
  'wrong password of the reader': start(/WRONGPASS|NOAUTH/, () => ({
    port: server().port,
    password: 'right',
    reader: { port: server().port, password: PASSWORD },
  })),
  'a password function that throws': start(/the function failed/, () => ({
    port: server().port,
    password: () => Promise.reject(vaultError()),
  })),
  'a password function that gives no string': start(/must give a string/, () => ({
    port: server().port,
    password: (() => ({ secret: PASSWORD })) as never,
  })),
  'a password function that gives a wrong one': start(/WRONGPASS/, () => ({
    port: server().port,
    password: () => PASSWORD,
  })),
  'TLS refused': start(/DISCO_NOT_CONNECTED/, () => ({
    url: `rediss://:${PASSWORD}@127.0.0.1:${server().port}`,
  })),
  'unreachable host': start(/ECONNREFUSED/, () => ({ url: `redis://:${PASSWORD}@127.0.0.1:1` })),
  'DNS failure': start(/ENOTFOUND|EAI_AGAIN/, () => ({ url: `redis://:${PASSWORD}@nowhere.invalid` })),
  'unreachable Sentinel': start(/DISCO_NOT_CONNECTED/, () => ({
    sentinel: { sentinels: [{ host: '127.0.0.1', port: 1 }], name: 'm', sentinelPassword: PASSWORD },
    password: PASSWORD,
  })),
  'wrong Sentinel password': start(/DISCO_NOT_CONNECTED/, () => ({
    sentinel: {
      sentinels: [{ host: '127.0.0.1', port: server().port }],
      name: 'm',
      sentinelPassword: PASSWORD,
    },
    password: PASSWORD,
  })),
  'wrong password of a Cluster': start(/DISCO_(NOT_CONNECTED|DRIVER)/, () => ({
    cluster: { nodes: [{ host: '127.0.0.1', port: server().port }] },
    password: PASSWORD,
  })),
  'a client handed in with a wrong password': {
    fails: /WRONGPASS/,
    run: (witness) =>
      failure(async () => {
        const client = new Redis({ port: server().port, password: PASSWORD, lazyConnect: true });
        await witness.bus({ driver: redisDriver({ client }), connection: critical }).start();
      }),
  },
  'a transport client with a wrong password': {
    fails: /WRONGPASS|DISCO_NOT_CONNECTED/,
    run: (witness) =>
      failure(async () => {
        const { say } = witness;
        const url = `redis://:${PASSWORD}@127.0.0.1:${server().port}`;
        const logger = { log: say, warn: say, error: say };
        const client = witness.show(
          new DiscoBusClient({ url, service: 'clinic', logger, requestTimeout: 500 }),
        );
        witness.after(() => client.close());
        await lastValueFrom(client.send('t', { patient: PAYLOAD }));
      }),
  },
  'a transport server with a wrong password': {
    fails: /WRONGPASS|DISCO_NOT_CONNECTED/,
    run: (witness) =>
      failure(async () => {
        const { say } = witness;
        const url = `redis://:${PASSWORD}@127.0.0.1:${server().port}`;
        const logger = { log: say, warn: say, error: say };
        const options = { url, service: 'clinic', logger, connection: critical };
        const transport = witness.show(new DiscoBusServer(options));
        witness.after(() => transport.close());
        await new Promise<void>((resolve, reject) => {
          void transport.listen((error?: unknown) => (error === undefined ? resolve() : reject(error)));
        });
      }),
  },
  'locks with a wrong password': {
    fails: /DISCO_/,
    run: (witness) =>
      failure(async () => {
        const store = new RedisLockStore({ port: server().port, password: PASSWORD, connectTimeout: 500 });
        const locks = witness.show(new LockManager(store));
        witness.after(() => locks.close().catch(() => undefined));
        await locks.connect();
        await locks.acquire('k', { wait: 300 });
      }),
  },
  'rotated credentials': {
    fails: /WRONGPASS/,
    run: async (witness) => {
      const { admin, url } = await guarded(witness);
      const bus = witness.bus({ driver: redisDriver({ url }) });
      await bus.start();
      await admin.config('SET', 'requirepass', 'another');
      await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      return witness.heard(/WRONGPASS/);
    },
  },
  'a URL of another scheme': refused(() => ({ url: `http://clinic:${PASSWORD}@host` })),
  'a URL that is none': refused(() => ({ url: `redis//clinic:${PASSWORD}@host` })),
  'a URL with a bad port': refused(() => ({ url: `redis://:${PASSWORD}@host:99999` })),
  'a URL with a bad database': refused(() => ({ url: `redis://:${PASSWORD}@host/none` })),
  'a URL with a bad escape': refused(() => ({ url: `redis://:%ZZ${PASSWORD}@host` })),
  'a URL with an unknown parameter': refused(() => ({ url: `redis://host?passwort=${PASSWORD}` })),
  'a password of another type': refused(() => ({ password: { secret: PASSWORD } })),
  'a misspelt option': refused(() => ({ passwort: PASSWORD })),
  'two endpoints': refused(() => ({ url: `redis://:${PASSWORD}@host`, host: 'other', password: PASSWORD })),
});

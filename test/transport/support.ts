import type { INestApplication, ModuleMetadata, Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { DiscoDriver } from '../../lib/driver/driver.js';
import { memoryDriver } from '../../lib/drivers/memory/index.js';
import { MemoryBroker } from '../../lib/drivers/memory/memory-broker.js';
import { redisDriver } from '../../lib/drivers/redis/index.js';
import { DiscoBusClient } from '../../lib/transport/disco-bus.client.js';
import { DiscoBusServer } from '../../lib/transport/disco-bus.server.js';
import type { DiscoBusClientOptions, DiscoBusServerOptions } from '../../lib/transport/transport-options.js';
import { RedisServer } from '../support/redis-server.js';

/** A way to reach one engine from several servers and clients. */
export interface Engine {
  readonly name: string;
  /** What a server or client is told so that it reaches the engine as this row means it. */
  readonly options: Pick<DiscoBusServerOptions, 'requests' | 'events'>;
  driver(): DiscoDriver;
  /** The same by its URL. */
  url(): string;
}

let redis: RedisServer | undefined;
let broker = new MemoryBroker();

/** Every way the transport is to work alike. */
export const engines: readonly Engine[] = [
  { name: 'memory', options: {}, driver: () => memoryDriver({ broker }), url: memoryUrl },
  {
    name: 'memory, fan-out',
    options: { requests: 'every', events: 'at-most-once' },
    driver: () => memoryDriver({ broker }),
    url: memoryUrl,
  },
  { name: 'redis streams', options: {}, driver: () => redisDriver({ url: redis?.url }), url: redisUrl },
  {
    name: 'redis pub/sub',
    options: { requests: 'every', events: 'at-most-once' },
    driver: () => redisDriver({ url: redis?.url }),
    url: redisUrl,
  },
];

function memoryUrl(): string {
  return 'memory:transport';
}

/** A redis-server for the file, and a clean engine for each test. */
export function useEngines(): void {
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  beforeEach(() => {
    broker = new MemoryBroker();
  });
  afterAll(() => redis?.stop());
}

/** The redis-server of the file. */
export function redisUrl(): string {
  return redis?.url ?? '';
}

const clients: DiscoBusClient[] = [];
const apps: INestApplication[] = [];

let unique = 0;

/** Applications and clients that are closed after each test; those of one test share a prefix of their own. */
export function stage(engine: Engine) {
  let prefix = '';
  beforeEach(() => {
    prefix = `t${process.pid}-${++unique}`;
  });
  afterEach(closeAll);
  const common = () => ({ prefix, driver: engine.driver(), ...engine.options, logger: silent });
  const strategy = (options: DiscoBusServerOptions = {}) => new DiscoBusServer({ ...common(), ...options });
  return {
    strategy,
    /** What an application would write: the URL, and nothing of a driver. */
    byUrl: () => ({ url: engine.url(), prefix, ...engine.options, logger: silent }),
    client: (options: DiscoBusClientOptions = {}): DiscoBusClient => {
      const client = new DiscoBusClient({ ...common(), ...options });
      clients.push(client);
      return client;
    },
    /** A hybrid application whose microservices listen. */
    serve: async (
      metadata: ModuleMetadata | Type<object>,
      { servers = [{}], prepare = () => {} }: ServeOptions = {},
    ): Promise<INestApplication> => {
      const app = await createApp(typeof metadata === 'function' ? { controllers: [metadata] } : metadata);
      prepare(app);
      for (const options of servers) {
        app.connectMicroservice({ strategy: strategy(options) }, { inheritAppConfig: true });
      }
      await app.startAllMicroservices();
      await app.init();
      return app;
    },
  };
}

export interface ServeOptions {
  /** One microservice for each. */
  readonly servers?: DiscoBusServerOptions[];
  readonly prepare?: (app: INestApplication) => void;
}

/** An application that is closed after the test. */
export async function createApp(metadata: ModuleMetadata): Promise<INestApplication> {
  const module = await Test.createTestingModule(metadata)
    .setLogger(false as never)
    .compile();
  const app = module.createNestApplication();
  apps.push(app);
  return app;
}

export async function closeAll(): Promise<void> {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await Promise.all(apps.splice(0).map((app) => app.close()));
}

export const silent = { log: () => {}, warn: () => {}, error: () => {} };

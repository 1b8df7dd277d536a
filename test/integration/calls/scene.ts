import { firstValueFrom } from 'rxjs';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import type { DiscoDriver } from '../../../lib/driver/driver.js';
import { DiscoBusService } from '../../../lib/nest/disco-bus.service.js';
import { locksOf } from '../../../lib/nest/locks/bus-locks.js';
import { DiscoBusClient } from '../../../lib/transport/disco-bus.client.js';
import { DiscoRecordBuilder } from '../../../lib/transport/disco-record.js';

/** What the calls say is their time. */
export const TIMEOUT_MS = 500;
export const ABORT_MS = 250;
const timeout = TIMEOUT_MS;
const silent = { log() {}, warn() {}, error() {} };

/** A bus with all that belongs to it: locks, and a client of the transport. */
export class Scene {
  readonly bus: DiscoBus;
  readonly service: DiscoBusService;
  readonly client: DiscoBusClient;

  constructor(driver: DiscoDriver) {
    const options = { driver, service: 'scene', shutdownTimeout: TIMEOUT_MS, logger: silent };
    this.bus = new DiscoBus({ ...options, connection: { wait: false } });
    this.service = new DiscoBusService(this.bus, locksOf(options));
    this.client = new DiscoBusClient({ bus: this.bus });
  }

  /** Resolves when the bus is ready, has a group, and answers requests of others. */
  async ready(): Promise<this> {
    await this.service.start();
    await this.bus.firstConnection();
    await this.bus.subscribe('kept', () => {}, { delivery: 'at-least-once' });
    await this.bus.subscribe('asked', (text) => text, { delivery: 'at-most-once' });
    return this;
  }

  /** Has a handler run that does not end. */
  async busy(): Promise<void> {
    await new Promise<void>((started, failed) => {
      const hang = () => {
        started();
        return new Promise<void>(() => {});
      };
      const options = { delivery: 'at-most-once' } as const;
      this.bus
        .subscribe('hangs', hang, options)
        .then(() => this.bus.publish('hangs', 1, options))
        .catch(failed);
    });
  }

  /** Every public call, by the name that it has in the table. */
  calls(): Record<string, () => Promise<unknown>> {
    const { bus, client } = this;
    const { locks } = this.service;
    const once = { delivery: 'at-most-once', timeout } as const;
    const durable = { delivery: 'at-least-once', timeout } as const;
    return {
      publish: () => bus.publish('told', 1, once),
      'publish-stored': () => bus.publish('told.stored', 1, durable),
      'publish-signal': () =>
        bus.publish('told', 1, { delivery: 'at-most-once', signal: AbortSignal.timeout(ABORT_MS) }),
      'publish-aborted': () => bus.publish('told', 1, { ...once, signal: AbortSignal.abort() }),
      'publish-invalid': () => bus.publish('not a topic!', 1, once),
      publishBatch: () => bus.publishBatch('told', [1, 2], once),
      request: () => bus.request('asked', 1, once),
      'request-invalid': () => bus.request('asked', undefined, once),
      requestStream: () =>
        new Promise((resolve, reject) => {
          bus.requestStream('asked', 1, once, { next() {}, complete: () => resolve(1), error: reject });
        }),
      subscribe: () => bus.subscribe('heard', () => {}, { delivery: 'at-most-once' }),
      'subscribe-stored': () => bus.subscribe('heard.stored', () => {}, { delivery: 'at-least-once' }),
      'subscribe-invalid': () => bus.subscribe('not a topic!', () => {}),
      ping: () => bus.ping(),
      count: () => bus.deadLetters('kept').count(),
      peek: () => bus.deadLetters('kept').peek(),
      removeGroup: () => bus.removeGroup('kept', 'nobody'),
      send: () =>
        firstValueFrom(client.send('nobody', new DiscoRecordBuilder(1).setTimeout(timeout).build())),
      emit: () =>
        firstValueFrom(client.emit('told.event', new DiscoRecordBuilder(1).setTimeout(timeout).build()), {
          defaultValue: 0,
        }),
      tryAcquire: async () => (await locks.tryAcquire('free'))?.release(),
      acquire: async () => (await locks.acquire('free.too', { wait: timeout })).release(),
      'acquire-aborted': () => locks.acquire('free', { signal: AbortSignal.abort() }),
    };
  }

  /** The calls that end it, in their order. */
  endings(): Record<string, () => Promise<unknown>> {
    return {
      drain: () => this.bus.drain(),
      'client.close': () => this.client.close(),
      stop: () => this.service.stop(),
    };
  }
}

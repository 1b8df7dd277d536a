import { type INestApplicationContext, Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ConfigurationError } from '../../errors/bus.errors.js';
import { busSubstitution } from '../../nest/bus-substitution.js';
import type { DiscoBusFactoryOptions } from '../../nest/module-options.js';
import type { WitnessedBus } from '../application/witnessed-bus.js';
import { inRealTime } from './in-real-time.js';
import { InstanceClock } from './instance-clock.js';
import { RunningInstance } from './running-instance.js';
import type { SimulatedDelivery } from './simulated-delivery.js';
import { SimulatedDriver } from './simulated-driver.js';
import { SimulatedInstance } from './simulated-instance.js';
import type { SimulatedWorld } from './simulated-world.js';
import type { SimulationSettings } from './simulation-options.js';
import { ToldBus } from './told-bus.js';
import { Wire } from './wire.js';

const silent = { log: () => {}, warn: () => {}, error: () => {} };

/** How the clock moves while an application closes. */
const CLOSE_MS = 1_000;
const CLOSE_TIMES = 60;

class SimulatedRootModule {}
class SimulatedInstanceModule {}

/** One copy of the application, from its start to its crash. */
export class SimulatedProcess {
  readonly name: string;
  readonly instance: RunningInstance;
  readonly wire: Wire;
  readonly drivers: SimulatedDriver[] = [];
  readonly buses: WitnessedBus[] = [];
  private readonly clock: InstanceClock;

  constructor(
    readonly number: number,
    private readonly world: SimulatedWorld,
    users: unknown,
  ) {
    this.name = `instance ${number}`;
    this.clock = new InstanceClock(world.clock);
    this.wire = new Wire(this.name, this.clock, world);
    this.instance = new RunningInstance(number, users, this.wire);
  }

  get alive(): boolean {
    return !this.wire.cut;
  }

  /** What it has in hand, the oldest first. */
  get inHand(): SimulatedDelivery[] {
    return this.drivers.flatMap(({ inHand }) => [...inHand]);
  }

  /** Resolves once its handlers are subscribed. The virtual clock stands meanwhile. */
  async start({ module, start }: SimulationSettings): Promise<void> {
    const make = start ?? ((instance) => defaultContext(module, instance));
    const application = await busSubstitution.run(
      {
        options: (name, own) => this.substituted(name, own),
        made: (name, service) => this.buses.push(new ToldBus(name, service, this.wire)),
      },
      () => inRealTime(async () => (await make(this.instance)).init(), `${this.name} starts`),
    );
    if (this.buses.length === 0) {
      throw new ConfigurationError('simulate: the application imports no DiscoBusModule.forRoot()');
    }
    this.instance.started(application);
    this.wire.calm = false;
  }

  /** From now on nothing that it does has any effect. */
  async crash(): Promise<void> {
    this.wire.cut = true;
    this.clock.stop();
    for (const driver of this.drivers) await driver.crash();
  }

  /** Closes the application. What does not end with the virtual clock is given up. */
  async close(): Promise<void> {
    this.wire.calm = true;
    let open = true;
    const closed = this.instance.close().then(
      () => (open = false),
      () => (open = false),
    );
    for (let times = 0; open && times < CLOSE_TIMES; times++) await this.world.clock.advance(CLOSE_MS);
    await this.crash();
    void closed;
  }

  private substituted(name: string, own: DiscoBusFactoryOptions): DiscoBusFactoryOptions {
    const { url, ...others } = own;
    const driver = new SimulatedDriver(this.wire, name);
    this.drivers.push(driver);
    const lock = { ...own.lock, store: undefined };
    const { clock } = this;
    return { ...others, driver, clock, lock, bundling: false, metrics: false, logger: silent };
  }
}

async function defaultContext(
  module: unknown,
  instance: SimulatedInstance,
): Promise<INestApplicationContext> {
  const provided = {
    module: SimulatedInstanceModule,
    global: true,
    providers: [{ provide: SimulatedInstance, useValue: instance }],
    exports: [SimulatedInstance],
  };
  const root = { module: SimulatedRootModule, imports: [provided, module as never] };
  // Nest keeps one logger for the process, and tells each start of an application.
  const loggers = Logger as unknown as { staticInstanceRef: unknown };
  const before = loggers.staticInstanceRef;
  try {
    return await NestFactory.createApplicationContext(root, { logger: false, abortOnError: false });
  } finally {
    loggers.staticInstanceRef = before;
  }
}

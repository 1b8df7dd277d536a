import type { Abstract, INestApplicationContext, Type } from '@nestjs/common';
import { ConfigurationError } from '../../errors/bus.errors.js';
import type { Clock } from '../../timing/clock.js';
import { type Duration, toMilliseconds } from '../../timing/duration.js';
import { SimulatedInstance } from './simulated-instance.js';
import type { Wire } from './wire.js';

/** An instance at its wire. */
export class RunningInstance extends SimulatedInstance {
  private application: INestApplicationContext | undefined;

  constructor(
    readonly number: number,
    readonly world: unknown,
    private readonly wire: Wire,
  ) {
    super();
  }

  get alive(): boolean {
    return !this.wire.cut;
  }

  get clock(): Clock {
    return this.wire.clock;
  }

  get app(): INestApplicationContext {
    if (this.application) return this.application;
    throw new ConfigurationError(`SimulatedInstance.app: instance ${this.number} is still being made`);
  }

  get<T>(provider: Type<T> | Abstract<T> | string | symbol): T {
    return this.app.get<T>(provider, { strict: false });
  }

  random(): number {
    return this.wire.world.random();
  }

  pause(duration: Duration): Promise<void> {
    const ms = toMilliseconds(duration, 'SimulatedInstance.pause');
    if (!this.alive) return this.wire.pass();
    return new Promise((resolve) => this.wire.clock.setTimeout(resolve, ms));
  }

  started(application: INestApplicationContext): void {
    this.application = application;
  }

  async close(): Promise<void> {
    await this.application?.close();
  }
}

import type { PublishOptions, PublishReceipt } from '../../bus/options/bus-options.js';
import type { RequestWitness, WitnessedSubscription } from '../../bus/options/witness.js';
import { isOwnTopic } from '../../message/topic.js';
import type { Middleware } from '../../middleware/middleware.js';
import type { DiscoBusService } from '../../nest/disco-bus.service.js';
import { WitnessedBus } from '../application/witnessed-bus.js';
import type { Wire } from './wire.js';

/** A bus of an instance: what its handlers do is told in the story. */
export class ToldBus extends WitnessedBus {
  constructor(
    name: string,
    service: DiscoBusService,
    private readonly wire: Wire,
  ) {
    super(name, service);
  }

  override publishes(
    topic: string,
    payload: unknown,
    options: PublishOptions,
  ): (receipt?: PublishReceipt) => void {
    if (this.wire.cut) void this.wire.afterlife(`publish to "${topic}"`);
    return super.publishes(topic, payload, options);
  }

  override requests(topic: string, payload: unknown): RequestWitness {
    if (this.wire.cut) void this.wire.afterlife(`make a request of "${topic}"`);
    return super.requests(topic, payload);
  }

  override around(subscription: WitnessedSubscription): Middleware {
    const counted = super.around(subscription);
    const { name, own } = subscription;
    return (next) => async (context) => {
      if (own || isOwnTopic(context.topic)) return counted(next)(context);
      const { instance, world } = this.wire;
      const { story } = world;
      const label = story.message(context.message.id);
      const again = context.attempt > 1 ? `, attempt ${context.attempt}` : '';
      story.tell(`${instance} begins ${label} (${name}${again})`);
      try {
        const result = await counted(next)(context);
        if (this.wire.cut) void this.wire.afterlife(`end ${label}`);
        else story.tell(`${instance} has handled ${label}`);
        return result;
      } catch (error) {
        if (this.wire.cut) void this.wire.afterlife(`fail at ${label}`);
        else story.tell(`${instance} fails at ${label}: ${error instanceof Error ? error.message : error}`);
        throw error;
      }
    };
  }
}

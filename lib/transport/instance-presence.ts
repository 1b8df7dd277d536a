import { setTimeout as delay } from 'node:timers/promises';
import type { DiscoBus } from '../bus/disco-bus.js';
import type { RpcInstance } from '../bus/operate/rpc-instances.js';
import { ReplyStream } from '../bus/requests/reply-stream.js';
import { random128 } from '../bus/requests/request-headers.js';
import { transportAccess } from '../bus/transport-access.js';
import { processIdentity } from '../driver/process-identity.js';
import { NEWS_TOPIC } from './pattern-topic.js';

/** How long a goodbye may take, and how long a server stays where it cannot be told whether anybody still writes to it. */
const GOODBYE_MS = 500;
const LINGER_MS = 100;

/** What clients know of one instance of a server: where it alone is asked, and when it comes and goes. */
export class InstancePresence {
  readonly instance = random128();
  /** Clients may choose this instance. */
  answersAlone = false;
  private forgetFarewell: (() => void) | undefined;

  /** What a client is answered that asks where this instance is asked: `topic`, or null while it answers only what all are asked. */
  whereabouts(topic: string): () => ReplyStream {
    const here = streamOf(topic);
    const nowhere = streamOf(null);
    return () => (this.answersAlone ? here : nowhere);
  }

  /** What is answered to whoever asks which servers there are: who this is, and that it answers `patterns`. */
  who(bus: DiscoBus, patterns: readonly string[]): () => ReplyStream {
    const self: Omit<RpcInstance, 'seenAt'> = {
      id: this.instance,
      ...processIdentity(bus.service),
      patterns,
      since: transportAccess(bus).now(),
    };
    const answer = streamOf(self);
    return () => answer;
  }

  /** Clients that know other instances learn of this one at once, and not only when they ask again. */
  sayHello(bus: DiscoBus): void {
    if (!this.answersAlone) return;
    this.forgetFarewell = bus.onDrain(() => this.sayGoodbye(bus));
    transportAccess(bus)
      .publish(NEWS_TOPIC, { up: this.instance }, GOODBYE_MS)
      .catch(() => {});
  }

  /** To come before anything stops reading: clients send to other instances from then on. */
  async end(bus: DiscoBus | undefined): Promise<void> {
    await this.sayGoodbye(bus);
    this.forgetFarewell?.();
  }

  /** Where it cannot be told that clients heard it, it waits a little. */
  private async sayGoodbye(bus: DiscoBus | undefined): Promise<void> {
    if (!this.answersAlone) return;
    this.answersAlone = false;
    if (!bus?.connected) return;
    const goodbye = transportAccess(bus).publish(NEWS_TOPIC, { down: this.instance }, GOODBYE_MS);
    const receipt = await goodbye.catch(() => undefined);
    if (receipt && receipt.receivers === undefined) await delay(LINGER_MS);
  }
}

function streamOf(told: unknown): ReplyStream {
  return new ReplyStream((sink) => {
    sink.value(told);
    sink.leave();
    return undefined;
  });
}

import type { Clock } from '../timing/clock.js';
import { grantedAccess } from './granted-access.js';
import type { PublishOptions, PublishReceipt } from './options/bus-options.js';
import type { BusWitness } from './options/witness.js';
import type { Publishing } from './publish/traced-publisher.js';
import type { ReplyObserver } from './requests/call.js';
import type { DirectCall, RequestHandle, ResolvedCall } from './requests/call-options.js';
import type { Requesting } from './requests/traced-requester.js';

/** A publisher whose publishes are told to a witness. */
export class WitnessedPublisher implements Publishing {
  constructor(
    private readonly publisher: Publishing,
    private readonly witness: BusWitness,
  ) {}

  publish(topic: string, payload: unknown, options: PublishOptions = {}): Promise<PublishReceipt> {
    const settled = this.witness.publishes(topic, payload, options);
    return told(this.publisher.publish(topic, payload, options), settled, settled);
  }

  publishBatch(
    topic: string,
    payloads: readonly unknown[],
    options: PublishOptions = {},
  ): Promise<PublishReceipt[]> {
    const settled = payloads.map((payload) => this.witness.publishes(topic, payload, options));
    return told(
      this.publisher.publishBatch(topic, payloads, options),
      (receipts) => {
        for (const [index, each] of settled.entries()) each(receipts[index]);
      },
      () => {
        for (const each of settled) each();
      },
    );
  }
}

/** A requester whose requests are told to a witness; the transport's own questions are not. */
export class WitnessedRequester implements Requesting {
  constructor(
    private readonly requester: Requesting,
    private readonly witness: BusWitness,
  ) {}

  call(topic: string, payload: unknown, options: ResolvedCall, observer: ReplyObserver): RequestHandle {
    return this.requester.call(topic, payload, options, this.seen(topic, payload, observer));
  }

  ask(topic: string, payload: unknown, options: DirectCall, observer: ReplyObserver): RequestHandle {
    const seen = options.aside ? observer : this.seen(options.name ?? topic, payload, observer);
    return this.requester.ask(topic, payload, options, seen);
  }

  private seen(topic: string, payload: unknown, observer: ReplyObserver): ReplyObserver {
    const witness = this.witness.requests(topic, payload);
    return {
      next: (reply, headers) => {
        witness.replied(reply);
        observer.next(reply, headers);
      },
      complete: () => observer.complete(),
      error: (error) => {
        witness.failed(error);
        observer.error(error);
      },
    };
  }
}

/** `work`, whose outcome is told first. */
function told<T>(work: Promise<T>, succeeded: (result: T) => void, failed: () => void): Promise<T> {
  return work.then(
    (result) => {
      succeeded(result);
      return result;
    },
    (error) => {
      failed();
      throw error;
    },
  );
}

/** What a test kit may do with a bus, and applications may not: no entry of the package exports it. */
export interface TestAccess {
  readonly clock: Clock;
  /** Requests that wait for their replies. */
  readonly pendingRequests: number;
  /** What is published, and every handler that is subscribed from now on, is told to `witness`. */
  callWitness(witness: BusWitness): void;
}

/** Lets a test kit at a bus. */
export const testAccess = grantedAccess<TestAccess>('test-access');

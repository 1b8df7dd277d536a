import { splitFanOut } from '../../lib/bundling/bundle-delivery.js';
import { type Delivery } from '../../lib/driver/delivery.js';
import { type DiscoDriver } from '../../lib/driver/driver.js';
import { isDiscoBusError } from '../../lib/errors/disco-bus-error.js';
import { DriverError } from '../../lib/errors/driver.errors.js';
import { PublishTimeoutError } from '../../lib/errors/publish.errors.js';
import { type ManualClock } from '../../lib/testing/manual-clock.js';
import { altered, type Defect } from './broken-driver.js';
import { inspectionDefects } from './inspection-defects.js';
import { steeringDefects } from './steering-defects.js';

/** One way to be wrong, and the cases that must notice it. A defect is made anew for each run, as it may have state. */
export interface KnownDefect {
  readonly noticedBy: readonly string[];
  make(clock: ManualClock): Defect;
}

const nothing = async () => undefined;

function everyTenth(act: (hand: () => void) => void): Defect {
  let count = 0;
  return {
    deliver: (delivery, hand) => (++count % 10 === 0 ? act(() => hand(delivery)) : hand(delivery)),
  };
}

/** Hands deliveries over with changes. */
function changing(change: (delivery: Delivery) => Partial<Delivery>): Defect {
  return { deliver: (delivery, hand) => hand(altered(delivery, change(delivery))) };
}

/** Acknowledges what is unsettled when a subscription or the driver closes: it is lost. */
function forgetting(when: 'subscription' | 'driver'): Defect {
  const open = new Set<Delivery>();
  const forget = () => Promise.all([...open].map((delivery) => delivery.ack()));
  return {
    deliver: (delivery, hand) => {
      open.add(delivery);
      hand(delivery);
    },
    subscribed: (subscription) => ({
      pause: () => subscription.pause(),
      resume: () => subscription.resume(),
      close: async () => {
        if (when === 'subscription') await forget();
        await subscription.close();
      },
    }),
    close: async (inner) => {
      if (when === 'driver') await forget();
      await inner.close();
    },
  };
}

/** Settles whatever attempt is the newest, not the one that it belongs to. */
function settlingTheNewest(): Defect {
  const newest = new Map<string, Delivery>();
  const of = ({ position = '' }: Delivery) => newest.get(position)!;
  return {
    deliver: (delivery, hand) => {
      newest.set(delivery.position ?? '', delivery);
      const ack: Delivery['ack'] = (part) => of(delivery).ack(part);
      const retry: Delivery['retry'] = (delayMs, part) => of(delivery).retry(delayMs, part);
      hand(altered(delivery, { ack, retry }));
    },
  };
}

/** Accepts at once and sends later, from the caller's own bytes; what waits when the driver closes is dropped. */
function sendingLater(): Defect {
  const waiting = new Set<NodeJS.Immediate>();
  return {
    publish: async (inner, topic, frame, options) => {
      const send = setImmediate(() => {
        waiting.delete(send);
        inner.publish(topic, frame, options).catch(nothing);
      });
      waiting.add(send);
      return {};
    },
    close: async (inner) => {
      for (const send of waiting) clearImmediate(send);
      await inner.close();
    },
  };
}

/** Hands over backwards what arrives in one turn. */
function reversing(): Defect {
  let held: (() => void)[] = [];
  const release = () => {
    const hands = held.reverse();
    held = [];
    for (const hand of hands) hand();
  };
  return {
    deliver: (delivery, hand) => {
      if (held.push(() => hand(delivery)) === 1) setImmediate(release);
    },
  };
}

/** Acts on each settlement, not only on the first. */
function settlingEachTime(): Defect {
  return {
    deliver: (delivery, hand) => {
      let settled = 0;
      const again = () => hand(altered(delivery, { attempt: delivery.attempt + 1 }));
      hand(
        altered(delivery, {
          retry: async (delayMs) => (++settled > 1 ? again() : delivery.retry(delayMs)),
        }),
      );
    },
  };
}

const withOptions = (change: object): Defect => ({
  publish: (inner, topic, frame, options) => inner.publish(topic, frame, { ...options, ...change }),
});

const transforming = (transform: (frame: Uint8Array) => Uint8Array): Defect => ({
  publish: (inner, topic, frame, options) => inner.publish(topic, transform(frame), options),
});

function ending(inner: DiscoDriver, error: Error): Promise<never> {
  return inner.close().then(() => Promise.reject(error));
}

/** Every way to be wrong that the suite is known to notice. */
export const defects: Readonly<Record<string, KnownDefect>> = {
  'brings dead letters back as they were': {
    noticedBy: ['dead-letter-edit'],
    make: () => ({ letters: (store) => ({ replay: (position) => store.replay(position) }) }),
  },
  'lists other letters beside the one that was asked for': {
    noticedBy: ['dead-letter-edit'],
    make: () => ({ letters: (store) => ({ list: ({ at: _, ...range }) => store.list(range) }) }),
  },
  'hides that a dead letter holds several messages': {
    noticedBy: ['dead-letter-edit'],
    make: () => ({
      letters: (store) => ({
        list: async (range) => (await store.list(range)).map(({ messages: _, ...letter }) => letter),
      }),
    }),
  },
  ...inspectionDefects,
  ...steeringDefects,
  'chooses everybody to watch': {
    noticedBy: ['watch-turn', 'watch-lease'],
    make: () => ({ watching: () => ({ takeWatch: async () => 0 }) }),
  },
  'lets anybody end the turn of a watcher': {
    noticedBy: ['watch-turn'],
    make: () => {
      const chosen = new Map<string, string>();
      return {
        watching: (inner) => ({
          takeWatch: async (what, watcher, leaseMs) => {
            const leftMs = await inner.takeWatch(what, watcher, leaseMs);
            if (leftMs === 0) chosen.set(what, watcher);
            return leftMs;
          },
          leaveWatch: (what) => inner.leaveWatch(what, chosen.get(what) ?? ''),
        }),
      };
    },
  },
  'never ends the turn of a watcher': {
    noticedBy: ['watch-turn', 'watch-lease'],
    make: () => ({
      watching: (inner) => ({
        takeWatch: (what, watcher) => inner.takeWatch(what, watcher, 60_000),
        leaveWatch: async () => {},
      }),
    }),
  },
  'loses every tenth message': {
    noticedBy: ['W1', 'W2', 'W3', 'W7', 'W10', 'subscribe', 'fan-out'],
    make: () => everyTenth(() => undefined),
  },
  'hands every tenth message over twice': {
    noticedBy: ['W1', 'W4', 'subscribe'],
    make: () =>
      everyTenth((hand) => {
        hand();
        hand();
      }),
  },
  'hands over backwards': { noticedBy: ['order', 'W9'], make: reversing },
  'accepts before it has sent, and reads the bytes later': {
    noticedBy: ['buffer-reuse', 'W10'],
    make: sendingLater,
  },
  'takes frames for UTF-8 text': {
    noticedBy: ['A18'],
    make: () => transforming((frame) => Buffer.from(Buffer.from(frame).toString())),
  },
  'cuts frames at a line end': {
    noticedBy: ['A18'],
    make: () =>
      transforming((frame) => frame.subarray(0, frame.includes(13) ? frame.indexOf(13) : undefined)),
  },
  'ignores the case of a topic': {
    noticedBy: ['channels'],
    make: () => ({
      publish: (inner, topic, frame, options) => inner.publish(topic.toLowerCase(), frame, options),
      subscribeTo: (topic) => topic.toLowerCase(),
    }),
  },
  'crosses neighbouring topics': {
    noticedBy: ['W11', 'W3', 'channels'],
    make: () => ({ subscribeTo: (topic) => topic.replace(/\.[^.>*]+$/, '.*') }),
  },
  'puts its prefix before bare names too': {
    noticedBy: ['bare', 'bare-patterns'],
    make: () => ({
      publish: (inner, topic, frame, options) => inner.publish(topic, frame, { ...options, bare: false }),
      subscribeWith: () => ({ bare: false }),
    }),
  },
  'splits what begins like a bundle, bare or not': {
    noticedBy: ['bare-bytes'],
    make: () => ({ deliver: (delivery, hand) => splitFanOut(delivery, hand, () => {}) }),
  },
  'takes * for any number of segments': {
    noticedBy: ['patterns'],
    make: () => ({ subscribeTo: (topic) => topic.replace(/\*$/, '>') }),
  },
  'keeps to itself how topics are used': {
    noticedBy: ['agreement', 'agreement-race', 'agreement-end'],
    make: () => ({
      agreeOn: async (inner, topic, use, by, holdMs) => inner.agreeOn(`${topic}.${by}`, use, by, holdMs),
    }),
  },
  'notes a use that contradicts': {
    noticedBy: ['agreement'],
    make: () => {
      const noted = new Map<string, string[]>();
      return {
        agreeOn: async (inner, topic, use, by, holdMs) => {
          noted.set(topic, [...(noted.get(topic) ?? []), by]);
          const dissent = await inner.agreeOn(topic, use, by, holdMs);
          return dissent && { ...dissent, by: noted.get(topic)!.filter((other) => other !== by) };
        },
      };
    },
  },
  'holds what is only asked for': {
    noticedBy: ['agreement-end'],
    make: () => ({
      agreeOn: (inner, topic, use, by, holdMs) => inner.agreeOn(topic, use, by, Math.max(holdMs, 1)),
    }),
  },
  'releases the uses of others': {
    noticedBy: ['agreement-end'],
    make: () => ({
      releaseTopics: async (inner, topics, by) => {
        for (const each of ['one', 'two', by]) await inner.releaseTopics(topics, each);
      },
    }),
  },
  'never ends a use': {
    noticedBy: ['agreement-end'],
    make: () => ({
      agreeOn: (inner, topic, use, by, holdMs) => inner.agreeOn(topic, use, by, holdMs > 0 ? 1e9 : 0),
      releaseTopics: nothing,
    }),
  },
  'looks at nothing that is stored': {
    noticedBy: ['agreement-stored'],
    make: () => ({
      agreeOn: async (inner, topic, use, by, holdMs) => {
        const dissent = await inner.agreeOn(topic, use, by, holdMs);
        return dissent?.by.some((other) => /^the group|stored/.test(other)) ? undefined : dissent;
      },
    }),
  },
  "lets patterns hear the bus's own topics": {
    noticedBy: ['own-topics'],
    make: () => ({
      publish: (inner, topic, frame, options) =>
        inner.publish(topic.replace(/^nest:/, 'nest.'), frame, options),
    }),
  },
  'names the pattern, not the topic': {
    noticedBy: ['patterns'],
    make: () => ({ deliver: (delivery, hand, topic) => hand(altered(delivery, { topic })) }),
  },
  'closes all subscriptions with one': {
    noticedBy: ['close-one'],
    make: () => ({
      subscribed: (subscription, all) => ({
        pause: () => subscription.pause(),
        resume: () => subscription.resume(),
        close: async () => void (await Promise.all(all.map((each) => each.close()))),
      }),
    }),
  },
  'throws away what comes while it closes': {
    noticedBy: ['close-takes'],
    make: () => {
      let closing = 0;
      return {
        subscribed: (subscription) => ({
          pause: () => subscription.pause(),
          resume: () => subscription.resume(),
          close: () => {
            closing++;
            return subscription.close().finally(() => closing--);
          },
        }),
        deliver: (delivery, hand) => (closing > 0 ? undefined : hand(delivery)),
      };
    },
  },
  'does not stop at close': {
    noticedBy: ['close-one', 'close-first', 'resubscribe', 'W13'],
    make: () => ({
      subscribed: (subscription) => ({
        pause: () => subscription.pause(),
        resume: () => subscription.resume(),
        close: nothing,
      }),
    }),
  },
  'does not close': {
    noticedBy: ['close-ends-all', 'after-close', 'closed-driver'],
    make: () => ({ close: nothing }),
  },
  'cannot be closed twice': {
    noticedBy: ['A17', 'close-unconnected', 'close-ends-all'],
    make: () => {
      const closed = new Set<DiscoDriver>();
      return {
        close: (inner) =>
          closed.has(inner)
            ? ending(inner, new Error('closed twice'))
            : inner.close().then(() => void closed.add(inner)),
      };
    },
  },
  'leaves a timer': {
    noticedBy: ['no-handles'],
    make: (clock) => ({
      connect: (inner, context) => {
        clock.setTimeout(() => undefined, 1e9);
        return inner.connect(context);
      },
    }),
  },
  'accepts before it is connected': {
    noticedBy: ['before-connect', 'after-close'],
    make: () => ({
      publish: (inner, topic, frame, options) => inner.publish(topic, frame, options).catch(() => ({})),
    }),
  },
  'answers pings when closed': {
    noticedBy: ['after-close', 'before-connect'],
    make: () => ({ ping: nothing }),
  },
  'refuses a second connect': {
    noticedBy: ['connect-twice'],
    make: () => {
      const connected = new Set<DiscoDriver>();
      return {
        connect: (inner, context) => {
          if (connected.has(inner)) return Promise.reject(new Error('connected twice'));
          connected.add(inner);
          return inner.connect(context);
        },
      };
    },
  },
  'says it can do less': {
    noticedBy: ['capabilities'],
    make: () => ({ capabilities: { 'at-most-once': undefined, 'at-least-once': undefined } }),
  },
  'ignores the signal': { noticedBy: ['abort'], make: () => withOptions({ signal: undefined }) },
  'forgets the signal once it has sent': {
    noticedBy: ['abort-sent'],
    make: () => ({
      publish: (inner, topic, frame, { signal, ...options }) =>
        inner.publish(topic, frame, { ...options, ...(signal?.aborted && { signal }) }),
    }),
  },
  'leaves the time of a publish to others': {
    noticedBy: ['publish-timeout'],
    make: () => withOptions({ timeoutMs: 1e9 }),
  },
  'takes twice the time of a publish': {
    noticedBy: ['publish-timeout'],
    make: () => ({
      publish: (inner, topic, frame, options) =>
        inner.publish(topic, frame, { ...options, timeoutMs: 2 * options.timeoutMs }),
    }),
  },
  'ends all publishes by the shortest timeout': {
    noticedBy: ['publish-timeout'],
    make: () => ({
      publish: (inner, topic, frame, options) =>
        inner.publish(topic, frame, { ...options, timeoutMs: Math.min(500, options.timeoutMs) }),
    }),
  },
  'says that nothing was sent when it does not know': {
    noticedBy: ['publish-timeout'],
    make: () => ({
      publish: (inner, topic, frame, options) =>
        inner.publish(topic, frame, options).catch((error: unknown) => {
          if (!isDiscoBusError(error, 'DISCO_PUBLISH_OUTCOME_UNKNOWN')) throw error;
          throw new PublishTimeoutError(topic, options.timeoutMs);
        }),
    }),
  },
  'hands over what it has read when it is paused': {
    noticedBy: ['pause-ahead'],
    make: () => ({
      subscribed: (subscription) => ({
        pause: () => void setImmediate(() => subscription.pause()),
        resume: () => subscription.resume(),
        close: () => subscription.close(),
      }),
    }),
  },
  'ignores pause': {
    noticedBy: ['pause'],
    make: () => ({
      subscribed: (subscription) => ({
        pause: () => undefined,
        resume: () => undefined,
        close: () => subscription.close(),
      }),
    }),
  },
  'ends a subscription whose subscriber throws': {
    noticedBy: ['throwing-handler'],
    make: () => {
      let dead = false;
      return {
        deliver: (delivery, hand) => {
          if (dead) return;
          try {
            hand(delivery);
          } catch {
            dead = true;
          }
        },
      };
    },
  },
  'redelivers at most once': {
    noticedBy: ['settle-nothing'],
    make: () => ({
      deliver: (delivery, hand) => hand(altered(delivery, { retry: async () => hand(delivery) })),
    }),
  },
  'has one group for all': {
    noticedBy: ['W16', 'W14', 'two-subscriptions', 'fan-out', 'retry-one-group', 'W9'],
    make: () => ({ subscribeWith: () => ({ group: 'one' }) }),
  },
  'gives every member a group of its own': {
    noticedBy: ['group-shares', 'W2', 'start-once'],
    make: () => {
      let groups = 0;
      return { subscribeWith: () => ({ group: `g${groups++}` }) };
    },
  },
  'reads an exclusive group with all its members': {
    noticedBy: ['exclusive'],
    make: () => ({ subscribeWith: () => ({ exclusive: false }) }),
  },
  'starts every group with what is new': {
    noticedBy: ['backlog', 'pattern-backlog', 'W1', 'W6', 'W14'],
    make: () => ({ subscribeWith: () => ({ startFrom: 'new' }) }),
  },
  'starts every group at the beginning': {
    noticedBy: ['start-new'],
    make: () => ({ subscribeWith: () => ({ startFrom: 'beginning' }) }),
  },
  'ignores maxInFlight': {
    noticedBy: ['max-in-flight', 'W5'],
    make: () => ({ subscribeWith: () => ({ maxInFlight: 1_000 }) }),
  },
  'ignores the time to live': {
    noticedBy: ['ttl', 'ttl-retry', 'expired'],
    make: () => withOptions({ ttlMs: undefined }),
  },
  'ignores the delay': { noticedBy: ['delay'], make: () => withOptions({ delayMs: undefined }) },
  'stores an id again': { noticedBy: ['deduplication'], make: () => withOptions({ deduplicate: false }) },
  'ignores ack': {
    noticedBy: ['acked', 'W12', 'W5', 'max-in-flight', 'settle-after-close'],
    make: () => changing(() => ({ ack: nothing })),
  },
  'never retries': {
    noticedBy: ['retry', 'W4', 'W8', 'retry-delay', 'second-settle', 'retry-part'],
    make: () => changing((delivery) => ({ retry: (_, part) => delivery.ack(part) })),
  },
  'retries at once': {
    noticedBy: ['retry-delay'],
    make: () => changing((delivery) => ({ retry: (_, part) => delivery.retry(0, part) })),
  },
  'counts what is released': {
    noticedBy: ['release'],
    make: () => changing((delivery) => ({ release: (delayMs, part) => delivery.retry(delayMs, part) })),
  },
  'releases at once': {
    noticedBy: ['release'],
    make: () => changing((delivery) => ({ release: (_, part) => delivery.release!(0, part) })),
  },
  'retries by publishing again': {
    noticedBy: ['retry-one-group', 'retry'],
    make: () => {
      let driver: DiscoDriver;
      return {
        publish: (inner, topic, frame, options) => {
          driver = inner;
          return inner.publish(topic, frame, options);
        },
        deliver: (delivery, hand) => {
          const { topic, frame } = delivery;
          const options = { delivery: 'at-least-once', id: 'again', timeoutMs: 1_000 } as const;
          const retry = async () => {
            await Promise.all([delivery.ack(), driver.publish(topic, frame, options)]);
          };
          hand(altered(delivery, { retry }));
        },
      };
    },
  },
  'does not raise the attempt': {
    noticedBy: ['retry', 'redelivery', 'closed-driver', 'late-settle', 'settle-again-later'],
    make: () => changing(() => ({ attempt: 1 })),
  },
  'acts on every settlement': { noticedBy: ['second-settle'], make: settlingEachTime },
  'settles the newest attempt': { noticedBy: ['late-settle', 'settle-again-later'], make: settlingTheNewest },
  'loses what a closed subscription left': {
    noticedBy: ['redelivery', 'W6', 'parts', 'late-settle'],
    make: () => forgetting('subscription'),
  },
  'loses what a closed driver left': {
    noticedBy: ['closed-driver', 'W12'],
    make: () => forgetting('driver'),
  },
  'redelivers what is being worked on': {
    noticedBy: ['kept-while-open'],
    make: (clock) => ({
      deliver: (delivery, hand) => {
        hand(delivery);
        clock.setTimeout(() => void delivery.retry(0), 30_000);
      },
    }),
  },
  'drops the newest dead letters': {
    noticedBy: ['dead-letters-full'],
    make: () => {
      let count = 0;
      return changing((delivery) => ({
        deadLetter: (reason) => (++count === 2 ? delivery.ack() : delivery.deadLetter(reason)),
      }));
    },
  },
  'brings dead letters back': {
    noticedBy: ['dead-letter', 'settle-after-close'],
    make: () => changing((delivery) => ({ deadLetter: () => delivery.retry(0) })),
  },
  "tells an age by a clock of its own, not the server's": {
    noticedBy: ['age'],
    make: () => changing((delivery) => ({ ageMs: (delivery.ageMs ?? 0) + 2_000 })),
  },
  'forgets which parts are settled': {
    noticedBy: ['parts'],
    make: () => changing(() => ({ settledParts: undefined })),
  },
  'retries the bundle for a part': {
    noticedBy: ['retry-part'],
    make: () => changing((delivery) => ({ retry: (delayMs) => delivery.retry(delayMs) })),
  },
  'ends the subscriptions of other drivers': {
    noticedBy: ['W7', 'close-ends-all'],
    make: () => {
      const others = new Set<DriverDispose>();
      return {
        subscribed: (subscription) => {
          others.add(() => subscription.close());
          return subscription;
        },
        close: async (inner) => {
          await Promise.all([inner.close(), ...[...others].map((end) => end())]);
        },
      };
    },
  },
  'is deaf after a restart': {
    noticedBy: ['W15', 'restart', 'reconnect'],
    make: () => {
      let deaf = false;
      return {
        restart: () => {
          deaf = true;
        },
        deliver: (delivery, hand) => (deaf ? undefined : hand(delivery)),
      };
    },
  },
  'leaves what a dead member had': { noticedBy: ['dead-member'], make: () => ({ kill: nothing }) },
  'gives up after one failed connect': { noticedBy: ['connect-retry'], make: () => ({ heal: nothing }) },
  'goes on connecting when it is closed': {
    noticedBy: ['close-unreachable'],
    make: () => ({ attempt: () => new Promise(() => {}) }),
  },
  'waits for its subscribers when it is closed': {
    noticedBy: ['close-grace'],
    make: () => {
      const asked = new WeakSet<DiscoDriver>();
      return {
        close: (inner) => {
          if (asked.has(inner)) return inner.close();
          asked.add(inner);
          return new Promise(() => {});
        },
      };
    },
  },
  'tells nobody that it is connected, or drops dead letters': {
    noticedBy: ['status-listener', 'dead-letters-full', 'expired'],
    make: () => ({ mute: true }),
  },
  'tells what has expired twice': {
    noticedBy: ['expired'],
    make: () => ({ tell: (status) => (status.type === 'expired' ? [status, status] : [status]) }),
  },
  'tells what it gave up as an error': {
    noticedBy: ['crashed-out'],
    make: () => ({
      tell: (status) =>
        status.type === 'dead-letter' ? [{ type: 'error', error: new DriverError('It is dead') }] : [status],
    }),
  },
  'connects although it was closed': {
    noticedBy: ['after-close', 'close-connecting', 'close-unconnected'],
    make: () => ({
      connect: (inner, context) => inner.connect(context).catch(nothing),
      publish: (inner, topic, frame, options) => inner.publish(topic, frame, options).catch(() => ({})),
    }),
  },
};

type DriverDispose = () => Promise<void>;

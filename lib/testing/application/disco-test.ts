import type { INestApplicationContext } from '@nestjs/common';
import { testAccess } from '../../bus/test-access.js';
import { ConfigurationError } from '../../errors/bus.errors.js';
import { UnknownHandlerError } from '../../errors/handler.errors.js';
import type { Lock } from '../../lock/lock.js';
import { assertTopicOrPattern, isTopicPattern, topicMatcher } from '../../message/topic-pattern.js';
import { BusRegistry } from '../../nest/bus-registry.js';
import { DEFAULT_BUS } from '../../nest/disco-bus.tokens.js';
import { HandlerRegistrar, type PlacedHandler } from '../../nest/handlers/handler-registrar.js';
import { HandlerRunner } from '../../nest/handlers/handler-runner.js';
import { type Duration, toMilliseconds } from '../../timing/duration.js';
import { ManualClock } from '../manual-clock.js';
import { NotSettledError } from './not-settled.error.js';
import { pendingWork } from './pending-work.js';
import { type DeliveredMessage, TestContext } from './test-context.js';
import {
  type DeadLetteredInTest,
  type HandledMessage,
  type PublishedMessage,
  type RequestedMessage,
  WitnessedBus,
} from './witnessed-bus.js';

/** How long, and for what, {@link DiscoTest.settled} waits. */
export interface SettledOptions {
  /** In real time, whatever clock the buses have. @default '5s' */
  timeout?: Duration;
  /**
   * What is due within this time, by the clock of the buses, is waited for as well: retries and delayed messages.
   * @default `timeout`; with a ManualClock, which does not move by itself, 0
   */
  within?: Duration;
}

/** What came of handing a message to one handler. */
export interface Delivered<Result = unknown> {
  /** What the method returned, awaited. */
  readonly result: Result;
  /** It asked for another attempt by `context.retry`. */
  readonly retried: boolean;
  /** Why it gave the message up by `context.terminate`; undefined where it did not. */
  readonly terminated: string | undefined;
}

// Taken once, so that fake timers of a test runner do not stop the kit too.
const { setImmediate, setTimeout } = globalThis;
/** Between two looks at a server; in memory a turn of the event loop. */
const LOOK_MS = 10;
/** Looks in a row that have to find nothing, with nothing happening between them. */
const CALM_LOOKS = 3;

/**
 * Sees what an application publishes and handles, waits until it has settled, and makes it fail. For any test runner: it has none
 * inside. Attach it before the application is initialized.
 */
export class DiscoTest {
  private constructor(
    private readonly app: INestApplicationContext,
    private readonly buses: readonly WitnessedBus[],
  ) {}

  /**
   * To all buses of an application: what a `TestingModule` compiles, or what `createNestApplication` makes of it. Throws
   * ConfigurationError where the application has no bus, or has started already.
   */
  static attach(app: INestApplicationContext): DiscoTest {
    const registry = find(app, BusRegistry);
    const entries = registry?.names.map((name) => registry.named(name, '')) ?? [];
    if (entries.length === 0) {
      throw new ConfigurationError('DiscoTest.attach: the application imports no DiscoBusModule.forRoot()');
    }
    for (const { name, service } of entries) {
      if (service.state === 'idle') continue;
      throw new ConfigurationError(
        `DiscoTest.attach: the bus "${name}" is ${service.state}; attach before the application is initialized`,
      );
    }
    return new DiscoTest(
      app,
      entries.map(({ name, service }) => new WitnessedBus(name, service)),
    );
  }

  /**
   * Resolves when nothing is published, waiting, running or due, on all buses: follow-ups and retries included, of all groups
   * that this application reads. Rejects with a NotSettledError that names what it waits for when its time is over. At most
   * once on a real server, a message on its way is seen when it comes: 30 ms of calm are taken for its absence.
   */
  async settled(options: SettledOptions = {}): Promise<void> {
    const timeoutMs = toMilliseconds(options.timeout ?? '5s', 'timeout');
    const usual = this.clocks().some((clock) => clock instanceof ManualClock) ? 0 : timeoutMs;
    const withinMs = options.within === undefined ? usual : toMilliseconds(options.within, 'within');
    const endMs = performance.now() + timeoutMs;
    for (let calm = 0, activity = -1; calm < CALM_LOOKS; ) {
      await this.pause();
      const pending = (await Promise.all(this.buses.map((bus) => pendingWork(bus, withinMs)))).flat();
      const now = this.buses.reduce((sum, bus) => sum + bus.activity, 0);
      calm = pending.length === 0 && now === activity ? calm + 1 : 0;
      activity = now;
      if (calm < CALM_LOOKS && performance.now() >= endMs) throw new NotSettledError(timeoutMs, pending);
    }
  }

  /**
   * Moves the ManualClocks of all buses on, and waits until what came due has settled: retries, delayed messages, time limits
   * and locks. Throws ConfigurationError where a bus has another clock.
   */
  async advance(duration: Duration, options: SettledOptions = {}): Promise<void> {
    const ms = toMilliseconds(duration, 'duration');
    const clocks = this.clocks();
    const manual = clocks.filter((clock) => clock instanceof ManualClock);
    if (manual.length < clocks.length) {
      throw new ConfigurationError(
        'DiscoTest.advance: give the bus a clock that can be moved: forRoot({ driver: memoryDriver({ clock }), clock }) with a ManualClock',
      );
    }
    for (const clock of manual) await clock.advance(ms);
    await this.settled(options);
  }

  /** What was published and accepted, in that order. @param topic only of this topic, or of topics that match the pattern */
  published<T = any>(topic?: string): PublishedMessage<T>[] {
    return this.seen(({ published }) => published, topic);
  }

  /** Attempts that succeeded, in the order of their end. */
  handled<T = any>(topic?: string): HandledMessage<T>[] {
    return this.seen(({ handled }) => handled, topic);
  }

  /** Attempts that failed, with their errors. */
  failed<T = any>(topic?: string): HandledMessage<T>[] {
    return this.seen(({ failed }) => failed, topic);
  }

  /** Requests, with their replies. */
  requests<T = any>(topic?: string): RequestedMessage<T>[] {
    return this.seen(({ requested }) => requested, topic);
  }

  /** What was given up and kept. The letters themselves are in `bus.deadLetters(topic, group)`. */
  deadLettered(topic?: string): DeadLetteredInTest[] {
    return this.seen(({ deadLettered }) => deadLettered, topic);
  }

  /** The next `times` attempts of messages of a topic, or pattern, fail with `error`, before their handlers are called. */
  fail(topicOrPattern: string, error: Error = new Error('planned by the test'), times = 1): void {
    assertTopicOrPattern(topicOrPattern);
    if (!Number.isInteger(times) || times < 1)
      throw new ConfigurationError(`DiscoTest.fail: times must be a whole number above 0, not ${times}`);
    for (const bus of this.buses) bus.plan(topicOrPattern, error, times);
  }

  /**
   * Hands a message to one handler, `Class.method`, within its guards, pipes, interceptors and filters, and past the bus:
   * nothing is retried or acknowledged. A batch handler takes an array of payloads. Rejects with what the handler throws, or
   * UnknownHandlerError.
   */
  async deliver<Result = any>(
    handler: string,
    payload: unknown,
    message: DeliveredMessage = {},
  ): Promise<Delivered<Result>> {
    const placed = this.placed(handler, message.topic);
    const { topic, group } = placed.declared;
    if (message.topic === undefined && isTopicPattern(topic)) {
      throw new ConfigurationError(
        `DiscoTest.deliver: ${handler} reads the pattern "${topic}": name a topic`,
      );
    }
    const call = this.app.get(HandlerRunner, { strict: false }).handlerFor(placed.handler, placed.enhancers);
    const contextOf = (each: unknown) => new TestContext(each, message.topic ?? topic, group, message);
    if (placed.handler.options.batch === undefined) {
      const context = contextOf(payload);
      const result = (await call(payload, context)) as Result;
      return { result, retried: context.retried !== undefined, terminated: context.terminated };
    }
    if (!Array.isArray(payload))
      throw new ConfigurationError(
        `DiscoTest.deliver: ${handler} takes batches: give it an array of payloads`,
      );
    const messages = payload.map(contextOf);
    const batch = { messages, group, signal: new AbortController().signal };
    const result = (await call(payload, batch as never)) as Result;
    const terminated = messages.find((each) => each.terminated !== undefined)?.terminated;
    return { result, retried: messages.some(({ retried }) => retried !== undefined), terminated };
  }

  /**
   * Takes a lock as another process would: what the application runs under it waits, or is refused, until `release()`. Rejects
   * with LockNotAcquiredError where the application holds it for longer than `wait`.
   */
  holdLock(
    key: string | readonly string[],
    { bus = DEFAULT_BUS, wait = '1s' as Duration } = {},
  ): Promise<Lock> {
    const witnessed = this.buses.find(({ name }) => name === bus);
    if (!witnessed) throw new ConfigurationError(`DiscoTest.holdLock: the application has no bus "${bus}"`);
    return witnessed.service.locks.acquire(key, { wait, autoExtend: true });
  }

  private clocks() {
    return [...new Set(this.buses.map(({ service }) => testAccess(service.bus).clock))];
  }

  /** What has happened may go on in the next turn; on a server somewhere else. */
  private async pause(): Promise<void> {
    const isLocal = this.buses.every(({ service }) => service.inspect.connections()[0]?.driver === 'memory');
    if (!isLocal) await new Promise<void>((resolve) => setTimeout(resolve, LOOK_MS));
    for (let turn = 0; turn < 2; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
  }

  private seen<Of extends { readonly topic: string }>(
    of: (bus: WitnessedBus) => readonly Of[],
    topic?: string,
  ): Of[] {
    const matches = topic === undefined ? () => true : topicMatcher(assertTopicOrPattern(topic));
    return this.buses.flatMap(of).filter((each) => matches(each.topic));
  }

  private placed(name: string, topic: string | undefined): PlacedHandler {
    const { handlers } = this.app.get(HandlerRegistrar, { strict: false });
    const found = handlers.filter(({ handler }) => handler.label === name);
    const meant = found.find(({ declared }) => topic === undefined || topicMatcher(declared.topic)(topic));
    if (meant) return meant;
    if (found.length > 0)
      throw new ConfigurationError(`DiscoTest.deliver: ${name} is not subscribed to "${topic}"`);
    throw new UnknownHandlerError(
      name,
      handlers.map(({ handler }) => handler.label),
    );
  }
}

function find<T>(app: INestApplicationContext, type: new (...args: any[]) => T): T | undefined {
  try {
    return app.get(type, { strict: false });
  } catch {
    return undefined;
  }
}

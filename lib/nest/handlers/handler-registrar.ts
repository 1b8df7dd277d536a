import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import type { DeclaredSubscription, Subscription } from '../../bus/consume/subscription.js';
import { errorLine } from '../../bus/options/bus-logger.js';
import type { MessageHandler } from '../../bus/options/bus-options.js';
import { isDiscoBusError } from '../../errors/disco-bus-error.js';
import { expectShutdownHooks } from '../../transport/shutdown-hooks.js';
import { type BusEntry, BusRegistry } from '../bus-registry.js';
import { DEFAULT_BUS } from '../disco-bus.tokens.js';
import {
  assertEnhancers,
  assertHandlerOptions,
  type DiscoSubscribeOptionsFactory,
  type Enhancers,
} from './disco-subscribe.decorator.js';
import { type FoundHandler, HandlerExplorer, type SubscribedMethod } from './handler-explorer.js';
import { HandlerRunner } from './handler-runner.js';
import { NestTools } from './nest-tools.js';

/** A handler, the bus it goes on, and its announcement there, made as soon as its options are known. */
export class PlacedHandler {
  /** Once it is live. */
  subscription: Subscription | undefined;
  /** What it is to be from its beginning on. */
  paused = false;

  constructor(
    readonly handler: FoundHandler,
    readonly bus: BusEntry,
    readonly declared: DeclaredSubscription,
    readonly enhancers: Enhancers,
  ) {}

  /** Resolves when it is live. */
  async open(call: MessageHandler): Promise<void> {
    this.subscription = await this.declared.open(call);
    if (this.paused) this.subscription.pause();
  }

  /** Starts nothing in this process, until `resume`. */
  pause(): void {
    this.paused = true;
    this.subscription?.pause();
  }

  resume(): void {
    this.paused = false;
    this.subscription?.resume();
  }

  /** For the log. */
  get line(): string {
    const { topic, group, delivery, concurrency } = this.declared;
    const how = delivery === 'at-least-once' ? `at least once, group "${group}"` : 'at most once';
    const bus = this.bus.name === DEFAULT_BUS ? '' : `, bus "${this.bus.name}"`;
    return `${this.handler.label} handles "${topic}": ${how}, ${concurrency} at a time${bus}`;
  }
}

/** Subscribes the methods with `@DiscoSubscribe` when the application starts. */
@Injectable()
export class HandlerRegistrar implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('DiscoBus');
  private readonly placed: PlacedHandler[] = [];
  private forgetHooks = () => {};
  private readonly undecided: { method: SubscribedMethod; options: DiscoSubscribeOptionsFactory }[] = [];

  constructor(
    private readonly explorer: HandlerExplorer,
    private readonly registry: BusRegistry,
    private readonly runner: HandlerRunner,
    private readonly tools: NestTools,
  ) {}

  /** Announces the handlers on their buses, save those whose options are made when the application starts. */
  async onModuleInit(): Promise<void> {
    await this.orStop(async () => {
      for (const method of this.explorer.find()) {
        const { options } = method.metadata;
        if (typeof options === 'function') this.undecided.push({ method, options });
        else this.place({ ...method, options });
      }
    });
  }

  /**
   * Resolves when all are live. Those of a bus that still has no connection follow as soon as it has one; what is wrong
   * with them in itself is told at once, and leaves no bus running.
   */
  async onApplicationBootstrap(): Promise<void> {
    await this.orStop(() => this.subscribeAll());
    if (this.placed.length > 0) this.forgetHooks = expectShutdownHooks((text) => this.logger.warn(text));
  }

  /** Those that are subscribed, or about to be, in the order in which they were found. */
  get handlers(): readonly PlacedHandler[] {
    return this.placed;
  }

  onModuleDestroy(): void {
    this.forgetHooks();
  }

  private async orStop(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      await this.registry.stop();
      throw error;
    }
  }

  private async subscribeAll(): Promise<void> {
    for (const { method, options } of this.undecided) {
      const made = (await options(method.moduleRef)) ?? {};
      assertHandlerOptions(method.metadata.topic, made);
      this.place({ ...method, options: made });
    }
    this.tellGlobals();
    for (const { line, handler, bus, declared } of this.placed) {
      this.logger.log(line);
      this.tools.insert(handler, bus.name, declared);
    }
    const subscribing = this.placed.map((each) => ({ each, bus: each.bus, live: this.subscribe(each) }));
    const now = subscribing.filter(({ bus }) => bus.service.state !== 'connecting');
    const later = subscribing.filter(({ bus }) => bus.service.state === 'connecting');
    for (const { each, live } of later) this.tellFailure(each, live);
    await Promise.all(now.map(({ live }) => live));
    await Promise.race([Promise.all(later.map(({ live }) => live)), nextTurn()]);
  }

  /** Announces a handler; not where the bus takes none, or a stand-in has none. */
  private place(handler: FoundHandler): void {
    const bus = this.busOf(handler);
    if (!bus.registerHandlers || bus.service.bus === undefined) return;
    const { bus: _name, enhancers = bus.enhancers, ...options } = handler.options;
    assertEnhancers(enhancers);
    const declared = bus.service.bus.declare(
      handler.metadata.definition ?? handler.topic,
      options,
      handler.label,
    );
    this.placed.push(new PlacedHandler(handler, bus, declared, enhancers));
  }

  private busOf({ label, options }: FoundHandler): BusEntry {
    const name = options.bus ?? DEFAULT_BUS;
    return this.registry.named(name, `${label} is subscribed on the bus "${name}", but`);
  }

  private subscribe(placed: PlacedHandler): Promise<void> {
    const call = this.runner.handlerFor(placed.handler, placed.enhancers);
    return placed.open(this.tools.around(placed.declared.topic, call));
  }

  /** What an application has made global for HTTP meets messages as well. */
  private tellGlobals(): void {
    const globals = this.runner.globals;
    if (globals.length === 0 || !this.placed.some(({ enhancers }) => enhancers === 'all')) return;
    this.logger.log(
      `Global enhancers in effect on message handlers: ${globals.join(', ')}; enhancers: 'own' leaves them out`,
    );
  }

  private tellFailure({ handler }: PlacedHandler, live: Promise<void>): void {
    live.catch((error) => {
      if (isDiscoBusError(error, 'DISCO_CLOSED')) return;
      this.logger.error(
        `${handler.label} could not be subscribed to "${handler.topic}": ${errorLine(error)}`,
      );
    });
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

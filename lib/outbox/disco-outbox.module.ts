import {
  type BeforeApplicationShutdown,
  type DynamicModule,
  Inject,
  type InjectionToken,
  Module,
  type ModuleMetadata,
  type OnApplicationBootstrap,
  Optional,
  type OptionalFactoryDependency,
  type Provider,
} from '@nestjs/common';
import { assertOptions } from '../errors/assert-options.js';
import { ConfigurationError } from '../errors/bus.errors.js';
import { aBoolean, aFunction, aList, checkedElsewhere, type OptionKinds } from '../errors/option-kinds.js';
import type { DiscoBusService } from '../nest/disco-bus.service.js';
import { getDiscoBusToken } from '../nest/disco-bus.tokens.js';
import { DiscoOutbox } from './disco-outbox.js';
import { type DiscoOutboxOptions, resolveOutbox } from './outbox-options.js';

/** An outbox whose options the container makes. */
export interface DiscoOutboxAsyncOptions extends Pick<ModuleMetadata, 'imports'> {
  /** The name of the bus. @default the default bus */
  bus?: string;
  /** Whether `DiscoOutbox` can be injected everywhere. @default true */
  isGlobal?: boolean;
  /** What is handed to `useFactory`. */
  inject?: (InjectionToken | OptionalFactoryDependency)[];
  useFactory: (
    ...dependencies: any[]
  ) => Omit<DiscoOutboxOptions, 'bus'> | Promise<Omit<DiscoOutboxOptions, 'bus'>>;
}

/** An outbox whose options are known. */
export interface DiscoOutboxModuleOptions extends DiscoOutboxOptions {
  /** Whether `DiscoOutbox` can be injected everywhere. @default true */
  isGlobal?: boolean;
}

const asyncKinds: OptionKinds<DiscoOutboxAsyncOptions> = {
  bus: checkedElsewhere,
  isGlobal: aBoolean,
  imports: aList,
  inject: aList,
  useFactory: aFunction,
};

const RELAYING = Symbol('disco-bus:outbox-relaying');

/** Starts the relay with the application, and ends it after the handlers: what they wrote last may still go out. */
class OutboxLife implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(private readonly outbox: DiscoOutbox) {}

  onApplicationBootstrap(): Promise<void> {
    return this.outbox.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.outbox.stop();
  }
}

/**
 * The outbox of a Nest application: provides {@link DiscoOutbox}. At bootstrap it checks the table, whose absence fails the
 * start, and begins to relay; it ends before the bus is closed. Needs `DiscoBusModule`.
 */
@Module({})
export class DiscoOutboxModule {
  /** Nest makes the module. Throws ConfigurationError where it was imported without options. */
  constructor(@Optional() @Inject(RELAYING) relaying?: unknown) {
    if (relaying !== undefined) return;
    throw new ConfigurationError(
      'DiscoOutboxModule was imported as it stands, so there is no outbox: import DiscoOutboxModule.forRoot({ pool })',
    );
  }

  /** An outbox with these options. Throws ConfigurationError for malformed ones. */
  static forRoot(options: DiscoOutboxModuleOptions): DynamicModule {
    const { isGlobal, ...own } = options ?? {};
    assertOptions('DiscoOutboxModule.forRoot', { isGlobal }, { isGlobal: aBoolean });
    resolveOutbox(own as DiscoOutboxOptions);
    return outboxModule({ bus: own.bus, isGlobal, useFactory: () => own as DiscoOutboxOptions });
  }

  /** An outbox whose options the container makes, as with a pool that is a provider. */
  static forRootAsync(options: DiscoOutboxAsyncOptions): DynamicModule {
    assertOptions('DiscoOutboxModule.forRootAsync', options, asyncKinds, { path: '' });
    if (typeof options?.useFactory !== 'function')
      throw new ConfigurationError('DiscoOutboxModule.forRootAsync needs useFactory');
    return outboxModule(options);
  }
}

function outboxModule({
  bus,
  isGlobal = true,
  imports = [],
  inject = [],
  useFactory,
}: DiscoOutboxAsyncOptions): DynamicModule {
  const outbox: Provider = {
    provide: DiscoOutbox,
    inject: [getDiscoBusToken(bus), ...inject],
    useFactory: async (service: DiscoBusService, ...dependencies: unknown[]) =>
      new DiscoOutbox(service, await useFactory(...dependencies)),
  };
  const life: Provider = {
    provide: RELAYING,
    inject: [DiscoOutbox],
    useFactory: (made: DiscoOutbox) => new OutboxLife(made),
  };
  return {
    module: DiscoOutboxModule,
    global: isGlobal,
    imports,
    providers: [outbox, life],
    exports: [DiscoOutbox],
  };
}

import { type DynamicModule, Inject, Logger, Module, Optional, type Provider } from '@nestjs/common';
import type { LockLost } from '../bus/bus-status.js';
import { DiscoBus } from '../bus/disco-bus.js';
import { busKinds } from '../bus/options/bus-option-kinds.js';
import type { DiscoDriver } from '../driver/driver.js';
import { driverOfUrl } from '../drivers/driver-of-url.js';
import { pickOptions } from '../errors/assert-options.js';
import { ConfigurationError } from '../errors/bus.errors.js';
import type { ForcedRelease } from '../lock/lock-steward.js';
import { DiscoBusServer } from '../transport/disco-bus.server.js';
import { BusRegistry } from './bus-registry.js';
import { busSubstitution } from './bus-substitution.js';
import { DiscoBusService } from './disco-bus.service.js';
import {
  DEFAULT_BUS,
  entryToken,
  getDiscoBusServerToken,
  getDiscoBusToken,
  METRICS_SOURCE,
  optionsToken,
} from './disco-bus.tokens.js';
import { DiscoBusCoreModule } from './disco-bus-core.module.js';
import { locksOf } from './locks/bus-locks.js';
import { DiscoBusMetricsModule } from './metrics.module.js';
import type { MetricsSource, OwnedMetrics } from './metrics-source.js';
import {
  assertAsyncOptions,
  assertBusName,
  assertFactoryOptions,
  assertModuleOptions,
  type DiscoBusFactoryOptions,
  type DiscoBusModuleAsyncOptions,
  type DiscoBusModuleOptions,
  type DiscoBusOptionsFactory,
} from './module-options.js';
import { nestLogger } from './nest-logger.js';

/** The driver that the options name. Throws ConfigurationError, which never quotes the URL, as it may hold a password. */
async function chooseDriver({ driver, url }: DiscoBusFactoryOptions): Promise<DiscoDriver> {
  return driver ?? driverOfUrl(url);
}

/** Tells the module of a bus from the class imported as it stands. */
const CONFIGURED = Symbol('disco-bus:configured');

/**
 * A bus within a Nest application: it connects in `onModuleInit`, subscribes the methods with `@DiscoSubscribe` in
 * `onApplicationBootstrap`, lets running handlers finish before any `onModuleDestroy` of the application, and closes in
 * `onApplicationShutdown`, so that publishing works until then.
 */
@Module({})
export class DiscoBusModule {
  /** Nest makes the module. Throws ConfigurationError where it was imported without options. */
  constructor(@Optional() @Inject(CONFIGURED) configured?: true) {
    if (configured) return;
    throw new ConfigurationError(
      'DiscoBusModule was imported as it stands, so there is no bus: import DiscoBusModule.forRoot() or forRootAsync() once',
    );
  }

  /** A bus with these options; without any, over redis://127.0.0.1:6379. Malformed ones are a ConfigurationError. */
  static forRoot(options: DiscoBusModuleOptions = {}): DynamicModule {
    const { name, isGlobal, ...own } = assertModuleOptions(options);
    // A function, since they may hold a password, and modules get printed.
    const provider = { provide: optionsToken(assertBusName(name)), useFactory: () => own };
    return busModule({ name, isGlobal }, [provider], own.metrics);
  }

  /** A bus whose options the container makes. */
  static forRootAsync(options: DiscoBusModuleAsyncOptions): DynamicModule {
    assertAsyncOptions(options);
    const token = optionsToken(assertBusName(options.name));
    return busModule(options, optionsProviders(token, options), true);
  }
}

function busModule(
  { name = DEFAULT_BUS, isGlobal = true, imports = [] }: DiscoBusModuleAsyncOptions,
  options: Provider[],
  metrics: DiscoBusFactoryOptions['metrics'] = true,
): DynamicModule {
  const token = getDiscoBusToken(name);
  return {
    module: DiscoBusModule,
    global: isGlobal,
    imports: [...imports, DiscoBusCoreModule, ...(metrics === true ? [DiscoBusMetricsModule.load()] : [])],
    providers: [
      ...options,
      { provide: CONFIGURED, useValue: true },
      {
        provide: token,
        inject: [optionsToken(name), { token: METRICS_SOURCE, optional: true }],
        useFactory: (own: DiscoBusFactoryOptions, source?: MetricsSource) => createService(name, own, source),
      },
      {
        provide: getDiscoBusServerToken(name),
        inject: [token, optionsToken(name)],
        useFactory: (bus: DiscoBusService, { transport }: DiscoBusFactoryOptions) =>
          new DiscoBusServer({ ...transport, bus }),
      },
      {
        provide: entryToken(name),
        inject: [BusRegistry, token, optionsToken(name)],
        useFactory: (registry: BusRegistry, service: DiscoBusService, own: DiscoBusFactoryOptions) =>
          registry.add(name, service, own),
      },
    ],
    exports: [token, getDiscoBusServerToken(name)],
  };
}

function optionsProviders(token: string, options: DiscoBusModuleAsyncOptions): Provider[] {
  const { useFactory, useClass, useExisting, inject = [] } = options;
  if ([useFactory, useClass, useExisting].filter((way) => way !== undefined).length !== 1) {
    throw new ConfigurationError('forRootAsync needs exactly one of useFactory, useClass and useExisting');
  }
  if (useFactory) {
    const make = async (...dependencies: unknown[]) =>
      assertFactoryOptions(await useFactory(...dependencies));
    return [{ provide: token, inject, useFactory: make }];
  }
  const maker = useExisting ?? useClass!;
  const make = async (factory: DiscoBusOptionsFactory) =>
    assertFactoryOptions(await factory.createDiscoBusOptions());
  const own: Provider[] = useClass ? [useClass] : [];
  return [...own, { provide: token, inject: [maker], useFactory: make }];
}

async function createService(
  name: string,
  given: DiscoBusFactoryOptions,
  source: MetricsSource | undefined,
): Promise<DiscoBusService> {
  const substitution = busSubstitution.getStore();
  const options = substitution?.options(name, given) ?? given;
  const { metrics = true, logger = new Logger(name === DEFAULT_BUS ? 'DiscoBus' : `DiscoBus:${name}`) } =
    options;
  const driver = await chooseDriver(options);
  const owned: OwnedMetrics | undefined = metrics === true ? source?.open() : undefined;
  const sink = typeof metrics === 'object' ? metrics : owned;
  const own = logger instanceof Logger ? nestLogger(logger) : logger;
  const bus = new DiscoBus({ ...pickOptions(options, busKinds), driver, logger: own, metrics: sink });
  const onForcedRelease = ({ key, by, holders }: ForcedRelease) =>
    bus.recordDeed({ by, action: 'force release', lock: key, messages: holders });
  const onLost = (lock: Omit<LockLost, 'type'>) => bus.reportLockLost(lock);
  const locks = locksOf({ ...options, driver, metrics: sink, onLost, onForcedRelease });
  const service = new DiscoBusService(bus, locks, () => owned?.close());
  substitution?.made(name, service);
  return service;
}

import type { InjectionToken, ModuleMetadata, OptionalFactoryDependency, Type } from '@nestjs/common';
import { busKinds, placesOfTopicOptions } from '../bus/options/bus-option-kinds.js';
import type { DiscoBusOptions } from '../bus/options/bus-options.js';
import type { DiscoDriver } from '../driver/driver.js';
import { assertUrl } from '../drivers/driver-of-url.js';
import type { RedisAddress } from '../drivers/redis/redis-address.js';
import { assertOptions, type Replacements } from '../errors/assert-options.js';
import { ConfigurationError } from '../errors/bus.errors.js';
import {
  aBoolean,
  aDriver,
  aFunction,
  aList,
  aToken,
  checkedElsewhere,
  type OptionKinds,
  options,
} from '../errors/option-kinds.js';
import type { Metrics } from '../metrics/metrics.js';
import { serverKinds } from '../transport/transport-option-kinds.js';
import type { DiscoBusServerOptions } from '../transport/transport-options.js';
import { DEFAULT_BUS } from './disco-bus.tokens.js';
import { assertEnhancers, type Enhancers } from './handlers/disco-subscribe.decorator.js';
import { assertLockOptions, type BusLockOptions, busLockKinds } from './locks/bus-locks.js';

/** What the server of a module can be told; the rest it takes from the bus that it shares. */
export type TransportOptions = Omit<
  DiscoBusServerOptions,
  keyof DiscoBusOptions | keyof RedisAddress | 'bus' | 'url'
>;

/** Everything `DiscoBusModule` can be told of a bus. Nothing is needed. */
export interface DiscoBusModuleOptions extends Omit<DiscoBusOptions, 'driver' | 'metrics'> {
  /** Names the bus where there are several; `@InjectDiscoBus(name)` and `@DiscoSubscribe(…, { bus: name })` choose it. @default 'default' */
  name?: string;
  /** Whether every module of the application can inject the bus without importing it. @default true */
  isGlobal?: boolean;
  /**
   * Where the bus leads: `redis://…`, `rediss://…`, `memory:` for an embedded engine of its own, or `memory:name` for one
   * shared within the process. Excludes `driver`. @default the environment's DISCO_BUS_URL, else redis://127.0.0.1:6379
   */
  url?: string;
  /** A driver of your choice. Excludes `url`. @default the one that `url` names */
  driver?: DiscoDriver;
  /** Whether methods with `@DiscoSubscribe` are subscribed on this bus; `false` for a process that only publishes. @default true */
  registerHandlers?: boolean;
  /** Which guards, pipes, interceptors and filters surround methods with `@DiscoSubscribe` that do not say so. @default 'all' */
  enhancers?: Enhancers;
  /** `true` for Prometheus, where prom-client and `@willsoto/nestjs-prometheus` are installed; or a sink of your own. @default true */
  metrics?: boolean | Metrics;
  /** How the `DiscoBusServer` that the module provides answers requests and handles events. */
  transport?: TransportOptions;
  /** Settings of the bus's locks. @default those of {@link BusLockOptions} */
  lock?: BusLockOptions;
}

/** What a factory of options returns: the name and the reach of a bus are said where the module is imported. */
export type DiscoBusFactoryOptions = Omit<DiscoBusModuleOptions, 'name' | 'isGlobal'>;

/** A provider that makes options, for `useClass` and `useExisting`. */
export interface DiscoBusOptionsFactory {
  createDiscoBusOptions(): DiscoBusFactoryOptions | Promise<DiscoBusFactoryOptions>;
}

/** Options that the container makes. Exactly one of `useFactory`, `useClass` and `useExisting` is needed. */
export interface DiscoBusModuleAsyncOptions extends Pick<ModuleMetadata, 'imports'> {
  /** @default 'default' */
  name?: string;
  /** @default true */
  isGlobal?: boolean;
  /** What is handed to `useFactory`. */
  inject?: (InjectionToken | OptionalFactoryDependency)[];
  useFactory?: (...dependencies: any[]) => DiscoBusFactoryOptions | Promise<DiscoBusFactoryOptions>;
  /** Made by the module itself. */
  useClass?: Type<DiscoBusOptionsFactory>;
  /** Provided by one of `imports`. */
  useExisting?: InjectionToken<DiscoBusOptionsFactory>;
}

const names = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$/;

const { events, requests, serializer, deserializer, eventOptions, concurrency } = serverKinds;

const transportKinds: OptionKinds<TransportOptions> = {
  events,
  requests,
  serializer,
  deserializer,
  eventOptions,
  concurrency,
};

const factoryKinds: OptionKinds<DiscoBusFactoryOptions> = {
  ...busKinds,
  url: checkedElsewhere,
  driver: aDriver,
  registerHandlers: checkedElsewhere,
  enhancers: checkedElsewhere,
  metrics: checkedElsewhere,
  transport: options(transportKinds),
  lock: options(busLockKinds),
};

const moduleKinds: OptionKinds<DiscoBusModuleOptions> = {
  ...factoryKinds,
  name: checkedElsewhere,
  isGlobal: aBoolean,
};

const asyncKinds: OptionKinds<DiscoBusModuleAsyncOptions> = {
  name: checkedElsewhere,
  isGlobal: aBoolean,
  imports: aList,
  inject: aList,
  useFactory: aFunction,
  useClass: aFunction,
  useExisting: aToken,
};

/** Returns the name of a bus; throws ConfigurationError for what is none. */
export function assertBusName(name: unknown = DEFAULT_BUS): string {
  if (typeof name === 'string' && names.test(name)) return name;
  throw new ConfigurationError(
    'The name of a bus must be 1 to 100 letters, digits, ".", "_", ":" or "-", the first a letter or digit',
  );
}

/** Returns the options of `forRoot`. Throws ConfigurationError for what is wrong in itself; the bus checks the rest. */
export function assertModuleOptions(given: DiscoBusModuleOptions): DiscoBusModuleOptions {
  return assertOwnOptions('forRoot', given, moduleKinds, placesOfTopicOptions);
}

/** The same for what a factory has made. */
export function assertFactoryOptions(given: DiscoBusFactoryOptions): DiscoBusFactoryOptions {
  return assertOwnOptions('forRootAsync', given, factoryKinds, saidAtTheImport);
}

/** Throws ConfigurationError for options of `forRootAsync` that cannot be. */
export function assertAsyncOptions(given: DiscoBusModuleAsyncOptions): void {
  const inFactory = Object.keys(factoryKinds).map((name) => [name, 'return it from the factory']);
  assertOptions('forRootAsync', given, asyncKinds, {
    path: '',
    replacements: Object.fromEntries(inFactory),
  });
}

const saidAtTheImport: Replacements = {
  ...placesOfTopicOptions,
  name: 'give it beside useFactory',
  isGlobal: 'give it beside useFactory',
};

function assertOwnOptions<Options extends DiscoBusFactoryOptions>(
  where: string,
  given: Options,
  kinds: OptionKinds<Options>,
  replacements?: Replacements,
): Options {
  if (typeof given !== 'object' || given === null)
    throw new ConfigurationError('The options of DiscoBusModule must be an object');
  assertOptions(where, given, kinds, { path: '', replacements });
  const { url, driver, metrics = true, registerHandlers = true } = given;
  if (url !== undefined && typeof url !== 'string') throw new ConfigurationError('url must be a string');
  assertUrl(where, given, driver !== undefined);
  if (url !== undefined && driver !== undefined)
    throw new ConfigurationError('url and driver exclude each other');
  if (typeof registerHandlers !== 'boolean')
    throw new ConfigurationError('registerHandlers must be true or false');
  if (typeof metrics !== 'boolean' && typeof metrics?.topic !== 'function') {
    throw new ConfigurationError('metrics must be true, false or a sink');
  }
  assertEnhancers(given.enhancers);
  assertLockOptions(given.lock);
  return given;
}

import { Injectable } from '@nestjs/common';
import { DiscoveryService, MetadataScanner, ModuleRef } from '@nestjs/core';
import {
  type DiscoSubscribeOptions,
  type SubscribeMetadata,
  subscriptionsOf,
} from './disco-subscribe.decorator.js';

/** A provider or controller as Nest's container holds it. */
export type InstanceWrapper = ReturnType<DiscoveryService['getProviders']>[number];

/** A decorated method and the provider it belongs to. */
export interface HandlerMethod {
  readonly wrapper: InstanceWrapper;
  /** Of the module that the provider belongs to. */
  readonly moduleRef: ModuleRef;
  /** The class, for its metadata. */
  readonly type: Function;
  readonly method: string;
  /** The one instance, or undefined where a message or a consumer has its own. */
  readonly instance: object | undefined;
  /** `Class.method`, for logs and errors. */
  readonly label: string;
}

/** A {@link HandlerMethod} with one of its subscriptions, as it was declared. */
export interface SubscribedMethod extends HandlerMethod {
  readonly topic: string;
  readonly metadata: SubscribeMetadata;
}

/** A {@link HandlerMethod} with the options of one of its subscriptions. */
export interface FoundHandler extends HandlerMethod {
  readonly topic: string;
  readonly metadata: SubscribeMetadata;
  readonly options: DiscoSubscribeOptions;
}

/** Finds the decorated methods of the providers and controllers of the application. */
@Injectable()
export class HandlerExplorer {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  /** Those with `@DiscoSubscribe`, once for each. */
  find(): SubscribedMethod[] {
    return this.methodsWith(subscriptionsOf).map(({ handler, metadata }) => ({
      ...handler,
      topic: metadata.topic,
      metadata,
    }));
  }

  /** Each method once for each of what `read` finds on it, in the order of the modules. */
  methodsWith<Metadata>(
    read: (prototype: object, method: string) => readonly Metadata[],
  ): { handler: HandlerMethod; metadata: Metadata }[] {
    const seen = new Set<object>();
    const found: { handler: HandlerMethod; metadata: Metadata }[] = [];
    for (const wrapper of [...this.discovery.getProviders(), ...this.discovery.getControllers()]) {
      if (wrapper.isAlias) continue;
      const methods = [...this.methodsOf(wrapper, read)];
      if (methods.length === 0) continue;
      const identity = hasOneInstance(wrapper) ? identityOf(wrapper.instance) : wrapper;
      if (!seen.has(identity)) found.push(...methods);
      seen.add(identity);
    }
    return found;
  }

  private *methodsOf<Metadata>(
    wrapper: InstanceWrapper,
    read: (prototype: object, method: string) => readonly Metadata[],
  ): Generator<{ handler: HandlerMethod; metadata: Metadata }> {
    const instance = hasOneInstance(wrapper) ? wrapper.instance : undefined;
    const prototype = instance ? Object.getPrototypeOf(instance) : prototypeOf(wrapper);
    if (!prototype || prototype === Object.prototype) return;
    const type: Function = prototype.constructor;
    for (const method of this.scanner.getAllMethodNames(prototype)) {
      for (const metadata of read(prototype, method)) {
        const moduleRef = wrapper.host?.providers.get(ModuleRef)?.instance as ModuleRef;
        const label = `${type.name}.${method}`;
        yield { handler: { wrapper, moduleRef, type, method, instance, label }, metadata };
      }
    }
  }
}

const IDENTITY = Symbol('disco-bus:identity');

/**
 * The same object for an instance and for each Proxy in front of it: Nest's `instrument` puts one around whatever a factory
 * returns, so that one instance under two tokens looks like two.
 */
function identityOf(instance: object): object {
  const known = Object.getOwnPropertyDescriptor(instance, IDENTITY);
  if (known) return known.value;
  const value = {};
  return Reflect.defineProperty(instance, IDENTITY, { value }) ? value : instance;
}

/** Whether the container made one instance for everybody. */
function hasOneInstance(wrapper: InstanceWrapper): boolean {
  return (
    !wrapper.isTransient &&
    wrapper.isDependencyTreeStatic() &&
    typeof wrapper.instance === 'object' &&
    wrapper.instance !== null
  );
}

/** What a factory will make per message cannot be known beforehand: it has no prototype here. */
function prototypeOf(wrapper: InstanceWrapper): object | undefined {
  return wrapper.isNotMetatype ? undefined : (wrapper.metatype?.prototype ?? undefined);
}
